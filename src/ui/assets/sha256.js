// SHA-256. Browsers offer crypto.subtle on secure origins only, and the explorer may use plain HTTP.

const K = new Int32Array(64);
const START = new Int32Array(8);

// The constants are the first 32 bits of the fractional parts of roots of the first primes.
for (let candidate = 2, found = 0; found < 64; candidate++) {
  let prime = true;
  for (let divisor = 2; divisor * divisor <= candidate; divisor++) {
    if (candidate % divisor === 0) prime = false;
  }
  if (!prime) continue;
  const bits = (root) => ((root - Math.floor(root)) * 2 ** 32) | 0;
  if (found < 8) START[found] = bits(Math.sqrt(candidate));
  K[found++] = bits(Math.cbrt(candidate));
}

const W = new Int32Array(64);

/** Returns the initial state. */
export const initialState = () => START.slice();

/** Compresses the 64 bytes at an offset into the state. */
export function compress(state, bytes, offset) {
  for (let i = 0; i < 16; i++, offset += 4) {
    W[i] = (bytes[offset] << 24) | (bytes[offset + 1] << 16) | (bytes[offset + 2] << 8) | bytes[offset + 3];
  }
  for (let i = 16; i < 64; i++) {
    const x = W[i - 15];
    const y = W[i - 2];
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    W[i] = (W[i - 16] + s0 + W[i - 7] + s1) | 0;
  }
  let a = state[0], b = state[1], c = state[2], d = state[3];
  let e = state[4], f = state[5], g = state[6], h = state[7];
  for (let i = 0; i < 64; i++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[i] + W[i]) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g; g = f; f = e; e = (d + t1) | 0;
    d = c; c = b; b = a; a = (t1 + t2) | 0;
  }
  state[0] += a; state[1] += b; state[2] += c; state[3] += d;
  state[4] += e; state[5] += f; state[6] += g; state[7] += h;
}

/**
 * Writes the padding of an input of `length` bytes at `end` of the buffer, which holds its last bytes.
 * Returns the end of the padding.
 */
export function pad(bytes, end, length) {
  const total = Math.ceil((end + 9) / 64) * 64;
  bytes[end] = 0x80;
  bytes.fill(0, end + 1, total);
  for (let i = 0, bits = length * 8; i < 8; i++, bits = Math.floor(bits / 256)) {
    bytes[total - 1 - i] = bits % 256;
  }
  return total;
}

/** Returns the digest of a state as 64 hex digits. */
export const hex = (state) =>
  Array.from(state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");

/** Returns the SHA-256 of a file as 64 hex digits. It is read piece by piece. */
export async function sha256OfFile(file) {
  const PIECE = 4 << 20;
  const state = initialState();
  let offset = 0;
  for (; offset + PIECE <= file.size; offset += PIECE) {
    const piece = new Uint8Array(await file.slice(offset, offset + PIECE).arrayBuffer());
    for (let at = 0; at < PIECE; at += 64) compress(state, piece, at);
  }
  const rest = new Uint8Array(await file.slice(offset).arrayBuffer());
  const padded = new Uint8Array(rest.length + 72);
  padded.set(rest);
  const total = pad(padded, rest.length, offset + rest.length);
  for (let at = 0; at < total; at += 64) compress(state, padded, at);
  return hex(state);
}

/** Returns the SHA-256 of bytes as 64 hex digits. */
export function sha256(bytes) {
  const padded = new Uint8Array(bytes.length + 72);
  padded.set(bytes);
  const total = pad(padded, bytes.length, bytes.length);
  const state = initialState();
  for (let offset = 0; offset < total; offset += 64) compress(state, padded, offset);
  return hex(state);
}
