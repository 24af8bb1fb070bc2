// effect: an HTTP response that stays open
// Sends the events of a watch as they come: what it begins with (the state, or what it has missed) as fast as the client
// reads, then those of one moment as one write, a bookmark now and then, and an end when the time is over, the client is
// gone or does not read what it asked for.

import type { ServerResponse } from 'node:http'
import type { Status } from '#api/meta.ts'
import { StatusError } from '#api/status.ts'
import type { Clock } from '#daemon/clock.ts'
import type { WatchEvent } from '#apiserver/engine/watch.ts'
import type { Answer } from '#apiserver/http/answer.ts'
import { encodeEvent } from '#apiserver/print/encode.ts'

/** Of HTTP/2 too: its responses do what those of HTTP/1 do. */
export type Response = ServerResponse
type WatchAnswer = Extract<Answer, { kind: 'watch' }>

const bookmarkMs = 60_000
/** What a client may leave unread of what has come since it began; beyond it the watch is cut, and it lists anew. */
const mostUnreadBytes = 16 * 1024 * 1024
/** So much of the beginning is encoded and written at once. */
const pieceBytes = 128 * 1024

/** Resolves when the watch has ended; with a Status where it could not begin and nothing has been sent. */
export async function streamWatch(
  response: Response,
  watch: WatchAnswer,
  clock: Clock,
  signal: AbortSignal,
): Promise<Status | undefined> {
  const early: (readonly WatchEvent[])[] = []
  let send = (events: readonly WatchEvent[]): void => void early.push(events)
  let stop: () => void
  try {
    stop = await watch.open((events) => send(events))
  } catch (error) {
    if (!(error instanceof StatusError)) throw error
    if (error.status.code !== 410) return error.status
    // History that is gone is told as the only event: clients look for it there.
    begin(response, watch)
    response.end(encodeEvent('ERROR', new TextEncoder().encode(JSON.stringify(error.status))))
    return undefined
  }
  begin(response, watch)
  const ended = Promise.withResolvers<void>()
  const end = () => ended.resolve()
  const writer = createWriter(
    response,
    pieces(early, (event) => watch.encode(event, clock.now())),
  )
  send = (events) => {
    for (const event of events) writer.add(watch.encode(event, clock.now()))
    if (writer.unreadBytes > mostUnreadBytes) response.destroy()
  }
  const bookmark = () => send([{ kind: 'bookmark', revision: watch.revision(), endsInitialEvents: false }])
  let cancelBookmark = () => {}
  const bookmarkLater = () => {
    cancelBookmark = clock.after(bookmarkMs, () => {
      bookmark()
      bookmarkLater()
    })
  }
  if (watch.bookmarks) bookmarkLater()
  const cancelEnd = clock.after(watch.timeoutMs, () => {
    if (watch.bookmarks) bookmark()
    end()
  })
  response.on('close', end)
  const ends = [signal, watch.ended]
  if (watch.ended.aborted) end()
  for (const one of ends) one.addEventListener('abort', end, { once: true })
  await ended.promise
  for (const one of ends) one.removeEventListener('abort', end)
  cancelBookmark()
  cancelEnd()
  stop()
  writer.flush()
  if (!response.writableEnded) response.end()
  return undefined
}

function begin(response: Response, { contentType }: WatchAnswer): void {
  response.writeHead(200, { 'content-type': contentType, 'cache-control': 'no-cache, private' })
  // The client waits for the headers, also where no event comes for a long time.
  response.flushHeaders()
}

/** The beginning of a watch, encoded when there is room for it. */
function* pieces(
  batches: readonly (readonly WatchEvent[])[],
  encode: (event: WatchEvent) => Uint8Array,
): Generator<Uint8Array, undefined> {
  let lines: Uint8Array[] = []
  let size = 0
  for (const batch of batches)
    for (const event of batch) {
      const line = encode(event)
      lines.push(line)
      size += line.length
      if (size < pieceBytes) continue
      yield Buffer.concat(lines, size)
      lines = []
      size = 0
    }
  if (size > 0) yield Buffer.concat(lines, size)
  return undefined
}

/** One write at a time: what comes meanwhile goes out together with the next, and none of it before the beginning. */
function createWriter(response: Response, beginning: Iterator<Uint8Array, undefined>) {
  let waiting: Uint8Array[] = []
  let waitingBytes = 0
  let isWriting = false
  const takeWaiting = () => {
    if (waiting.length === 0) return undefined
    const bytes = waiting.length === 1 ? waiting[0]! : Buffer.concat(waiting, waitingBytes)
    waiting = []
    waitingBytes = 0
    return bytes
  }
  const flush = () => {
    isWriting = false
    if (response.destroyed || response.writableEnded) return
    const bytes = beginning.next().value ?? takeWaiting()
    if (bytes === undefined) return
    isWriting = true
    response.write(bytes, flush)
  }
  flush()
  return {
    add(line: Uint8Array): void {
      waiting.push(line)
      waitingBytes += line.length
      // Events of one moment come one by one; the first of them must not go alone.
      if (!isWriting) {
        isWriting = true
        queueMicrotask(flush)
      }
    },
    get unreadBytes(): number {
      return waitingBytes + response.writableLength
    },
    flush,
  }
}
