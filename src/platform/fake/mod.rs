//! A small town of people, posts and private messages, with memory.
