// effect: reads a stream
// The lines of a stream of bytes, each byte looked at once: a chunk is searched for line ends when it comes, and the
// pieces of a line are joined when its end is there.
import type { Readable } from 'node:stream'

/** Each line as text without its end. A last line without an end is dropped: the stream broke off in it. */
export async function* lines(stream: Readable): AsyncGenerator<string, void, undefined> {
  let pieces: Buffer[] = []
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    let start = 0
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      const piece = chunk.subarray(start, end)
      yield pieces.length === 0 ? piece.toString('utf8') : Buffer.concat([...pieces, piece]).toString('utf8')
      pieces = []
      start = end + 1
    }
    if (start < chunk.length) pieces.push(chunk.subarray(start))
  }
}
const newline = 10
