/** Hardware addresses as people write them: `0a:58:0a:f4:00:02`. */
export const formatMac = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':')

/** Throws where the text is none: such a text is never a user's. */
export function encodeMac(text: string): Uint8Array {
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text)) throw new TypeError(`not a hardware address: ${text}`)
  return Uint8Array.from(text.split(':'), (part) => Number.parseInt(part, 16))
}
