// effect: log files
// Reads the log of a container or of a part of the node: the last lines, those since some time, and on as they come.
import { closeSync, fstatSync, openSync, readSync, statSync, watch } from 'node:fs'
import { basename, dirname } from 'node:path'
import { concat } from '#lib/bytes.ts'
import { parseLogLine, type LogLine } from '#node/logs/line.ts'
import { matchesQuery, type LogQuery } from '#node/logs/query.ts'

/** How a line of the file is read; undefined lines are left out. */
export type ParseLine = (line: Uint8Array) => LogLine | undefined

const chunkSize = 64 * 1024
const newline = 0x0a

export type ReadLogOptions = {
  readonly query: LogQuery
  readonly signal: AbortSignal
  readonly parse?: ParseLine
  /** With `follow`: whether more may still be written; asked when the file has been read to its end. */
  readonly isLive: () => boolean
  /** With `follow`: tells when `isLive` has changed. Answers how to stop telling. */
  readonly onLiveChange: (listener: () => void) => () => void
}

/** Yields what the client shall see, in pieces. Ends after the file's end, or, following it, with the container. */
export async function* readLog(path: string, options: ReadLogOptions): AsyncGenerator<Uint8Array> {
  const { query, parse = parseLogLine } = options
  let left = query.limitBytes ?? Infinity
  for await (const line of linesFrom(path, options)) {
    const parsed = parse(line)
    if (parsed === undefined || !matchesQuery(parsed, query)) continue
    const piece = render(parsed, query.timestamps).subarray(0, left)
    left -= piece.length
    yield piece
    if (left <= 0) return
  }
}

const encoder = new TextEncoder()
const lineEnd = Uint8Array.of(newline)

function render({ time, text, isPartial }: LogLine, timestamps: boolean): Uint8Array {
  // conmon writes UTC as +00:00, Kubernetes shows it as Z.
  return concat(
    timestamps ? encoder.encode(`${time.replace('+00:00', 'Z')} `) : new Uint8Array(),
    text,
    isPartial ? new Uint8Array() : lineEnd,
  )
}

async function* linesFrom(path: string, options: ReadLogOptions): AsyncGenerator<Uint8Array> {
  const { query, signal } = options
  let fd = openSync(path, 'r')
  const change = watchChanges(path, options)
  try {
    let position = query.tailLines === undefined ? 0 : startOfTail(fd, query.tailLines)
    let rest: Uint8Array = new Uint8Array()
    while (!signal.aborted) {
      const isLive = options.isLive()
      const seen = change.count()
      const chunk = readChunk(fd, position)
      position += chunk.length
      const bytes = rest.length === 0 ? chunk : concat(rest, chunk)
      const end = bytes.lastIndexOf(newline)
      yield* splitLines(bytes.subarray(0, end + 1))
      rest = bytes.slice(end + 1)
      if (chunk.length > 0) continue
      const fresh = rotated(path, fd)
      if (fresh !== undefined) {
        closeSync(fd)
        fd = fresh
        position = 0
      } else if (query.follow && isLive) await change.after(seen, signal)
      else break
    }
    if (rest.length > 0) yield rest
  } finally {
    change.stop()
    closeSync(fd)
  }
}

function readChunk(fd: number, position: number): Uint8Array {
  const buffer = new Uint8Array(chunkSize)
  return buffer.subarray(0, readSync(fd, buffer, 0, chunkSize, position))
}

function* splitLines(bytes: Uint8Array): Generator<Uint8Array> {
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(newline, start)
    yield bytes.subarray(start, end)
    start = end + 1
  }
}

/** A new file has taken the name: the log was rotated. Answers the new one, opened. */
function rotated(path: string, fd: number): number | undefined {
  const named = statSync(path, { throwIfNoEntry: false })
  return named === undefined || named.ino === fstatSync(fd).ino ? undefined : openSync(path, 'r')
}

/** Where the last `count` lines begin; read from the end, so that a long log costs nothing. */
function startOfTail(fd: number, count: number): number {
  const { size } = fstatSync(fd)
  if (count === 0) return size
  const buffer = new Uint8Array(chunkSize)
  let found = 0
  for (let end = size; end > 0;) {
    const start = Math.max(0, end - chunkSize)
    const length = readSync(fd, buffer, 0, end - start, start)
    for (let at = length - 1; at >= 0; at--)
      // The newline that ends the last line begins none.
      if (buffer[at] === newline && start + at + 1 < size && ++found === count) return start + at + 1
    end = start
  }
  return 0
}

/** Counts changes of the file and of who writes it, so that none between two looks is missed. */
function watchChanges(path: string, { query, onLiveChange }: ReadLogOptions) {
  let count = 0
  let wake = () => {}
  const changed = () => {
    count++
    wake()
  }
  const watcher = query.follow
    ? watch(dirname(path), (_event, name) => {
        if (name === basename(path)) changed()
      })
    : undefined
  const unlisten = query.follow ? onLiveChange(changed) : () => {}
  return {
    count: () => count,
    after: (seen: number, signal: AbortSignal) =>
      new Promise<void>((resolve) => {
        if (count !== seen || signal.aborted) return resolve()
        wake = resolve
        signal.addEventListener('abort', () => resolve(), { once: true })
      }),
    stop() {
      watcher?.close()
      unlisten()
    },
  }
}
