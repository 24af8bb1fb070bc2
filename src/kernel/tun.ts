// effect: TUN devices
// A link whose packets a program reads and writes: linux/if_tun.h. Each read and each write is one IP packet, without a header
// before it.
import { closeSync, constants, openSync } from 'node:fs'
import { ioctl, SystemError } from '#kernel/ffi.ts'
import { withNetns } from '#kernel/netns.ts'

const device = '/dev/net/tun'
const TUNSETIFF = 0x400454ca
const TUNSETPERSIST = 0x400454cb
const flags = { tun: 0x1, noPacketInformation: 0x1000 } as const

/**
 * Opens the link of that name, which is made where it is missing; it stays when the file is closed, or goes with it
 * where `persistent` is false. Reads of the file do not block. Throws a SystemError: ENOENT where the kernel has no TUN, EBUSY while another program has the link.
 */
export function openTun(name: string, netns?: string, { persistent = true } = {}): number {
  if (name.length > 15) throw new TypeError(`too long for a link: ${name}`)
  return withNetns(netns, () => {
    const fd = open()
    try {
      const request = new Uint8Array(40)
      request.set(new TextEncoder().encode(name))
      new DataView(request.buffer).setUint16(16, flags.tun | flags.noPacketInformation, true)
      ioctl(fd, TUNSETIFF, request)
      // An argument by value: any address that is not null says yes.
      if (persistent) ioctl(fd, TUNSETPERSIST, new Uint8Array([1]))
      return fd
    } catch (error) {
      closeSync(fd)
      throw error
    }
  })
}

function open(): number {
  try {
    return openSync(device, constants.O_RDWR | constants.O_NONBLOCK)
  } catch (error) {
    const { errno = 0 } = error as NodeJS.ErrnoException
    throw new SystemError(`open ${device}`, Math.abs(errno))
  }
}
