//! What LMDB leaves to its user, case by case.
