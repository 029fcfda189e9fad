//! Paths, each stored once, and their order.

use std::{collections::HashMap, rc::Rc};

/// The path of a root tree.
pub(super) const ROOT: u32 = 0;

/// Paths by number: each is a name in another path.
pub(super) struct Paths {
    numbers: HashMap<(u32, u32), u32>,
    /// For each path the path that it is in, and the number of its name.
    nodes: Vec<(u32, u32)>,
    names: HashMap<Rc<[u8]>, u32>,
    list: Vec<Rc<[u8]>>,
}

impl Paths {
    /// The root alone.
    pub(super) fn new() -> Self {
        let name: Rc<[u8]> = Rc::default();
        Self {
            numbers: HashMap::new(),
            nodes: vec![(ROOT, 0)],
            names: HashMap::from([(Rc::clone(&name), 0)]),
            list: vec![name],
        }
    }

    /// The path of `name` in the path `parent`.
    pub(super) fn within(&mut self, parent: u32, name: &[u8]) -> u32 {
        let name = if let Some(number) = self.names.get(name) {
            *number
        } else {
            let name: Rc<[u8]> = name.into();
            let number = number(self.list.len());
            self.list.push(Rc::clone(&name));
            self.names.insert(name, number);
            number
        };
        *self.numbers.entry((parent, name)).or_insert_with(|| {
            self.nodes.push((parent, name));
            number(self.nodes.len() - 1)
        })
    }

    /// For each path the places of its name among the names, and of itself among the paths.
    pub(super) fn places(&self) -> Vec<(u32, u32)> {
        let mut by_name: Vec<u32> = (0..number(self.list.len())).collect();
        by_name.sort_unstable_by_key(|name| &self.list[*name as usize]);
        let mut name_places = vec![0; self.list.len()];
        for (place, name) in (0..).zip(by_name) {
            name_places[name as usize] = place;
        }
        // All paths but the root, by the path that they are in, and there by name, last first.
        let mut children: Vec<u32> = (1..number(self.nodes.len())).collect();
        children.sort_unstable_by_key(|path| {
            let (parent, name) = self.nodes[*path as usize];
            (parent, std::cmp::Reverse(name_places[name as usize]))
        });
        let mut places = vec![(0, 0); self.nodes.len()];
        let (mut pending, mut next) = (vec![ROOT], 0);
        while let Some(path) = pending.pop() {
            let name = self.nodes[path as usize].1;
            places[path as usize] = (name_places[name as usize], next);
            next += 1;
            let parent = |child: &u32| self.nodes[*child as usize].0;
            let first = children.partition_point(|child| parent(child) < path);
            let below = children[first..].iter();
            pending.extend(below.take_while(|child| parent(child) == path));
        }
        places
    }
}

fn number(n: usize) -> u32 {
    u32::try_from(n).expect("fewer paths than objects that fit into memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_ordered_by_name_and_then_as_a_directory_is_read() {
        let mut paths = Paths::new();
        let mut at = |path: &str| {
            path.split('/')
                .fold(ROOT, |parent, name| paths.within(parent, name.as_bytes()))
        };
        let texts = ["z/a", "b", "a/b", "a", "a/c/b", "z", "a/c", "a/b"];
        let numbers: Vec<u32> = texts.iter().map(|text| at(text)).collect();
        assert_eq!(numbers[2], numbers[7]);
        let places = paths.places();
        let mut sorted: Vec<usize> = (0..7).collect();
        sorted.sort_by_key(|at| places[numbers[*at] as usize]);
        let sorted: Vec<&str> = sorted.into_iter().map(|at| texts[at]).collect();
        assert_eq!(sorted, ["a", "z/a", "a/b", "a/c/b", "b", "a/c", "z"]);
        assert_eq!(places[ROOT as usize], (0, 0));
    }
}
