// effect: settings of network devices by ioctl
// What `ethtool -K` sets, by the call that kernels of all times know: linux/ethtool.h, linux/sockios.h.
import { addressOf, AF, close, ioctl, SOCK, socket } from '#kernel/ffi.ts'
import { withNetns } from '#kernel/netns.ts'

const SIOCETHTOOL = 0x8946
const ETHTOOL = { getTransmitChecksum: 0x16, setTransmitChecksum: 0x17 } as const
const nameBytes = 16

/** Whether the device leaves the checksums of what it sends to whoever comes after it. Throws a SystemError. */
export const transmitChecksum = (link: string, netns?: string): boolean =>
  exchange(link, ETHTOOL.getTransmitChecksum, 0, netns) !== 0

/** `ethtool -K LINK tx on|off`. Throws a SystemError: EOPNOTSUPP where the device cannot. */
export const setTransmitChecksum = (link: string, isOn: boolean, netns?: string): void =>
  void exchange(link, ETHTOOL.setTransmitChecksum, isOn ? 1 : 0, netns)

function exchange(link: string, command: number, value: number, netns: string | undefined): number {
  const name = new TextEncoder().encode(link)
  if (name.length >= nameBytes) throw new TypeError(`too long for a link: ${link}`)
  const asked = new Uint8Array(new Uint32Array([command, value]).buffer)
  const request = new Uint8Array(40)
  request.set(name)
  new DataView(request.buffer).setBigUint64(nameBytes, addressOf(asked), true)
  const fd = withNetns(netns, () => socket(AF.inet, SOCK.dgram, 0))
  try {
    ioctl(fd, SIOCETHTOOL, request)
    return new DataView(asked.buffer).getUint32(4, true)
  } finally {
    close(fd)
  }
}
