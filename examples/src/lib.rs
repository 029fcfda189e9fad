//! Resumable commands, one file each: see the files beside this folder.
