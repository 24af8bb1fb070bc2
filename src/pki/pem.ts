// PEM texts: `-----BEGIN LABEL-----` and base64 in lines of 64.

export function encodePem(label: string, bytes: Uint8Array): string {
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  const lines = btoa(binary).match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

/** The bytes of the first block with that label, or undefined. */
export function decodePem(label: string, text: string): Uint8Array | undefined {
  const match = new RegExp(`-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]*)-----END ${label}-----`).exec(text)
  return match === null ? undefined : Uint8Array.from(atob(match[1]!.replaceAll(/\s/g, '')), (c) => c.charCodeAt(0))
}
