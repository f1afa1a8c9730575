#![no_main]

use libfuzzer_sys::fuzz_target;
use obole::language::Channel;

fuzz_target!(|bytes: &[u8]| obole_fuzz::read_text(bytes, Channel::Post));
