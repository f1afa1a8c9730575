//! A passkey in software: does what a phone does with `navigator.credentials`, as far as a server sees it.

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Where the pages are; a browser binds every answer to it.
const ORIGIN: &str = "http://localhost:8080";
const HOST: &str = "localhost";

const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const WITH_KEY: u8 = 0x40;

/// Somebody's device.
pub(crate) struct Authenticator {
    key: SigningKey,
    id: Vec<u8>,
    owner: Vec<u8>,
    /// Whether it asks for face, finger or PIN.
    pub(crate) verifies: bool,
    /// The page that the browser is on.
    pub(crate) origin: String,
}

impl Authenticator {
    /// A device whose keys follow from `seed`.
    pub(crate) fn new(seed: u8) -> Self {
        let key = SigningKey::from_slice(&Sha256::digest([seed])).unwrap();
        Authenticator { key, id: vec![seed; 32], owner: Vec::new(), verifies: true, origin: ORIGIN.to_owned() }
    }

    fn flags(&self) -> u8 {
        if self.verifies { PRESENT | VERIFIED } else { PRESENT }
    }

    fn client_data(&self, kind: &str, challenge: &Value) -> Vec<u8> {
        json!({ "type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": false }).to_string().into_bytes()
    }

    /// `navigator.credentials.create`.
    pub(crate) fn makes(&mut self, options: &Value) -> Value {
        let asked = &options["publicKey"];
        assert_eq!(asked["rp"]["id"], HOST);
        assert_eq!(asked["authenticatorSelection"]["userVerification"], "required");
        assert_eq!(asked["authenticatorSelection"]["residentKey"], "required");
        self.owner = from_base64(asked["user"]["id"].as_str().unwrap());
        let mut data = Sha256::digest(HOST).to_vec();
        data.push(self.flags() | WITH_KEY);
        data.extend([0; 4 + 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        data.extend(self.public_key());
        let mut object = vec![0xa3];
        object.extend(b"\x63fmt\x64none\x67attStmt\xa0\x68authData");
        object.push(0x58);
        object.push(u8::try_from(data.len()).unwrap());
        object.extend(&data);
        let client = self.client_data("webauthn.create", &asked["challenge"]);
        json!({
            "id": base64(&self.id), "rawId": base64(&self.id), "type": "public-key",
            "response": { "attestationObject": base64(&object), "clientDataJSON": base64(&client) },
        })
    }

    /// The key as COSE writes it: EC2, ES256, P-256, x, y.
    fn public_key(&self) -> Vec<u8> {
        let point = self.key.verifying_key().to_sec1_point(false);
        let point = point.as_bytes();
        let mut key = vec![0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20];
        key.extend(&point[1..33]);
        key.extend([0x22, 0x58, 0x20]);
        key.extend(&point[33..65]);
        key
    }

    /// `navigator.credentials.get`.
    pub(crate) fn shows(&self, options: &Value) -> Value {
        let asked = &options["publicKey"];
        assert_eq!(asked["userVerification"], "required");
        let mut data = Sha256::digest(HOST).to_vec();
        data.push(self.flags());
        data.extend([0; 4]);
        let client = self.client_data("webauthn.get", &asked["challenge"]);
        let signed: Vec<u8> = data.iter().copied().chain(Sha256::digest(&client)).collect();
        let signature: Signature = self.key.sign(&signed);
        json!({
            "id": base64(&self.id), "rawId": base64(&self.id), "type": "public-key",
            "response": {
                "authenticatorData": base64(&data), "clientDataJSON": base64(&client),
                "signature": base64(signature.to_der().as_bytes()), "userHandle": base64(&self.owner),
            },
        })
    }
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().enumerate().fold(0_u32, |bits, (place, byte)| bits | u32::from(*byte) << (16 - 8 * place));
        text.extend((0..=group.len()).map(|place| char::from(LETTERS[usize::try_from(bits >> (18 - 6 * place) & 63).unwrap()])));
    }
    text
}

fn from_base64(text: &str) -> Vec<u8> {
    let value = |letter: u8| u32::try_from(LETTERS.iter().position(|known| *known == letter).unwrap()).unwrap();
    let mut bytes = Vec::new();
    for group in text.as_bytes().chunks(4) {
        let bits = group.iter().enumerate().fold(0_u32, |bits, (place, letter)| bits | value(*letter) << (18 - 6 * place));
        bytes.extend(&bits.to_be_bytes()[1..group.len()]);
    }
    bytes
}
