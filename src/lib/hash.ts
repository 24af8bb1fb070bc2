import { sha256 as hash } from '@noble/hashes/sha2.js'

/** SHA-256 of bytes, or of a text's UTF-8: 32 bytes. */
export function sha256(data: string | Uint8Array): Uint8Array {
  return hash(typeof data === 'string' ? encoder.encode(data) : data)
}

/** 32-bit FNV-1a of a text's UTF-8, as an unsigned number. */
export function fnv32a(text: string): number {
  let hash = 0x811c9dc5
  for (const byte of encoder.encode(text)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}
const encoder = new TextEncoder()
