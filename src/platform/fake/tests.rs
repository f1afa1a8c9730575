//! The town remembers, shows and tells what it should.
