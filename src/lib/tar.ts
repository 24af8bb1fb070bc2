// Tar archives (POSIX ustar): regular files by name. Long names come as prefix and name, as GNU's `././@LongLink`, or in a
// pax header; all three are read.

import { concat } from '#lib/bytes.ts'

export type TarFile = { readonly name: string; readonly data: Uint8Array }

const block = 512
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Where in a header each field is: offset and length. */
const fields = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  modified: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  magic: [257, 8],
  prefix: [345, 155],
} as const
type Field = keyof typeof fields

/** `modified`: seconds since 1970, of all files. Names may have up to 255 bytes, with a slash where it is long. */
export function encodeTar(files: readonly TarFile[], modified = 0): Uint8Array {
  const parts = files.flatMap(({ name, data }) => [
    header(name, data.length, modified),
    data,
    new Uint8Array((block - (data.length % block)) % block),
  ])
  return concat(...parts, new Uint8Array(2 * block))
}

function header(path: string, size: number, modified: number): Uint8Array {
  const bytes = new Uint8Array(block)
  const put = (field: Field, text: string) => bytes.set(encoder.encode(text), fields[field][0])
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, '0')}\0`
  const { prefix, name } = splitName(path)
  put('name', name)
  put('prefix', prefix)
  put('mode', octal(0o644, 7))
  put('uid', octal(0, 7))
  put('gid', octal(0, 7))
  put('size', octal(size, 11))
  put('modified', octal(modified, 11))
  put('type', '0')
  put('magic', 'ustar\x0000')
  put('checksum', `${octal(checksum(bytes), 6)} `)
  return bytes
}

function splitName(path: string): { readonly prefix: string; readonly name: string } {
  if (encoder.encode(path).length <= fields.name[1]) return { prefix: '', name: path }
  for (let slash = path.indexOf('/'); slash > 0; slash = path.indexOf('/', slash + 1)) {
    const [prefix, name] = [path.slice(0, slash), path.slice(slash + 1)]
    if (encoder.encode(name).length <= fields.name[1] && encoder.encode(prefix).length <= fields.prefix[1])
      return { prefix, name }
  }
  throw new Error(`the name is too long for a tar archive: ${path}`)
}

/** The sum of a header's bytes, with blanks where the sum stands. */
const checksum = (bytes: Uint8Array): number => {
  const [start, length] = fields.checksum
  return bytes.reduce((sum, byte, at) => sum + (at >= start && at < start + length ? 32 : byte), 0)
}

/** Whether it begins as an archive does. */
export const isTar = (bytes: Uint8Array): boolean => bytes.length >= block && text(bytes, 'magic').startsWith('ustar')

/** The regular files of an archive; what is cut off at its end is left out. Undefined where it is none. */
export function decodeTar(bytes: Uint8Array): TarFile[] | undefined {
  if (!isTar(bytes)) return undefined
  const files: TarFile[] = []
  let long: string | undefined
  for (let at = 0; at + block <= bytes.length;) {
    const head = bytes.subarray(at, at + block)
    if (head.every((byte) => byte === 0)) break
    const size = Number.parseInt(text(head, 'size'), 8)
    if (Number.isNaN(size) || Number.parseInt(text(head, 'checksum'), 8) !== checksum(head)) break
    const data = bytes.subarray(at + block, at + block + size)
    at += block + Math.ceil(size / block) * block
    if (data.length < size) break
    const type = text(head, 'type')
    if (type === 'L') long = decoder.decode(data).replace(/\0.*$/s, '')
    else if (type === 'x') long = paxPath(decoder.decode(data)) ?? long
    else if (type === '0' || type === '' || type === '7') {
      const prefix = text(head, 'prefix')
      const name = long ?? (prefix === '' ? text(head, 'name') : `${prefix}/${text(head, 'name')}`)
      files.push({ name: name.replace(/^(\.?\/)+/, ''), data })
      long = undefined
    } else if (type !== 'g') long = undefined
  }
  return files
}

/** `27 path=a/long/name\n` */
const paxPath = (records: string): string | undefined => /^\d+ path=(.*)$/m.exec(records)?.[1]

function text(head: Uint8Array, field: Field): string {
  const [start, length] = fields[field]
  const bytes = head.subarray(start, start + length)
  const end = bytes.indexOf(0)
  return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end)).trim()
}
