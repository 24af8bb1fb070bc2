// effect: zlib streams
// SPDY's headers: names and values with their lengths, compressed by one zlib stream for each direction, which begins with
// a dictionary (draft-mbelshe-httpbis-spdy-00, section 2.6.10).
import { constants, createInflate, type Inflate } from 'node:zlib'
import { concat } from '#lib/bytes.ts'
import { ProtocolError } from '#node/server/spdy/frame.ts'

/** Names are in lower case. */
export type Headers = Readonly<Record<string, string>>

/** More than this in one block is an attack. */
const mostHeaders = 64 * 1024

// The dictionary: words with their lengths, then a text.
const words =
  'options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow ' +
  'authorization cache-control connection content-base content-encoding content-language content-length ' +
  'content-location content-md5 content-range content-type date etag expect expires from host if-match ' +
  'if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma ' +
  'proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade ' +
  'user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie ' +
  'keep-alive origin'
const text =
  '100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative ' +
  'Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 ' +
  'Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec ' +
  '00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,' +
  'application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8' +
  'charset=iso-8859-1,utf-,*,enq=0.'
export const dictionary = concat(
  ...words.split(' ').map((word) => sized(word.replace('_', ' '))),
  new TextEncoder().encode(text),
)

function sized(word: string): Uint8Array {
  const bytes = new TextEncoder().encode(word)
  return concat(uint32(bytes.length), bytes)
}

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes
}

/** Writes header blocks. Ours are a few words: they go out stored, which any decompressor reads. */
export class HeaderWriter {
  #isFirst = true

  write(headers: Headers): Uint8Array {
    const entries = Object.entries(headers)
    const plain = concat(
      uint32(entries.length),
      ...entries.flatMap(([name, value]) => [sized(name.toLowerCase()), sized(value)]),
    )
    if (plain.length > 0xffff) throw new RangeError('headers of more than 64 KiB')
    const { length } = plain
    const stored = Uint8Array.of(0, length & 0xff, length >> 8, ~length & 0xff, (~length >> 8) & 0xff)
    // An empty block at the end is a flush: the reader hands out what it has.
    const flush = Uint8Array.of(0, 0, 0, 0xff, 0xff)
    const start = this.#isFirst ? Uint8Array.of(0x78, 0x01) : new Uint8Array()
    this.#isFirst = false
    return concat(start, stored, plain, flush)
  }
}

/** Reads the header blocks of one direction, in their order. */
export class HeaderReader {
  readonly #inflate: Inflate = createInflate({ dictionary, finishFlush: constants.Z_SYNC_FLUSH })
  #chunks: Uint8Array[] = []
  #size = 0
  #failed = false
  #done = () => {}

  constructor() {
    this.#inflate.on('data', (chunk: Uint8Array) => {
      this.#size += chunk.length
      if (this.#size <= mostHeaders) this.#chunks.push(chunk)
    })
    this.#inflate.on('error', () => {
      this.#failed = true
      this.#done()
    })
  }

  /** Throws ProtocolError. */
  async read(block: Uint8Array): Promise<Headers> {
    this.#chunks = []
    this.#size = 0
    await new Promise<void>((resolve) => {
      this.#done = resolve
      if (this.#failed) resolve()
      else this.#inflate.write(block, () => this.#inflate.flush(constants.Z_SYNC_FLUSH, resolve))
    })
    if (this.#failed) throw new ProtocolError('the headers of a stream cannot be decompressed')
    if (this.#size > mostHeaders) throw new ProtocolError('the headers of a stream are too long')
    return parse(concat(...this.#chunks))
  }

  close(): void {
    this.#inflate.close()
  }
}

function parse(bytes: Uint8Array): Headers {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let at = 0
  const take = (size: number) => {
    if (at + size > bytes.length) throw new ProtocolError('the headers of a stream are cut off')
    at += size
    return at - size
  }
  const word = () => {
    const size = view.getUint32(take(4))
    const start = take(size)
    return new TextDecoder().decode(bytes.subarray(start, start + size))
  }
  const headers: Record<string, string> = {}
  for (let left = view.byteLength < 4 ? take(4) : view.getUint32(take(4)); left > 0; left--) {
    const name = word()
    headers[name.toLowerCase()] = word()
  }
  return headers
}
