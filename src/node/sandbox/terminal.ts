// effect: pseudo terminals
// A terminal for a command in a container: crun takes the one end as its own and passes everything on to the terminal
// that it makes inside; the other end is ours.
import { closeSync, constants, openSync } from 'node:fs'
import { ReadStream, WriteStream } from 'node:tty'
import { ioctl } from '#kernel/ffi.ts'
import type { TerminalSize } from '#node/runtime.ts'

/** asm-generic/ioctls.h */
const TIOC = { getNumber: 0x80045430, setLock: 0x40045431, setSize: 0x5414 } as const

export type Terminal = {
  /** for the three standard streams of the program; to be closed once it has them */
  readonly programEnd: number
  readonly output: ReadStream
  readonly input: WriteStream
  resize(size: TerminalSize): void
  closeProgramEnd(): void
  close(): void
}

export function openTerminal(): Terminal {
  const { O_RDWR, O_NOCTTY } = constants
  const own = openSync('/dev/ptmx', O_RDWR | O_NOCTTY)
  ioctl(own, TIOC.setLock, new Uint8Array(4))
  const number = new Uint8Array(4)
  ioctl(own, TIOC.getNumber, number)
  const path = `/dev/pts/${new DataView(number.buffer).getInt32(0, true)}`
  const programEnd = openSync(path, O_RDWR | O_NOCTTY)
  const output = new ReadStream(own)
  const input = new WriteStream(own)
  // When the program is gone, reading fails with EIO: that is the end.
  output.on('error', () => output.destroy())
  input.on('error', () => undefined)
  return {
    programEnd,
    output,
    input,
    resize({ width, height }) {
      if (!output.destroyed) ioctl(own, TIOC.setSize, new Uint8Array(Uint16Array.of(height, width, 0, 0).buffer))
    },
    closeProgramEnd: () => closeSync(programEnd),
    close() {
      output.destroy()
      input.destroy()
    },
  }
}
