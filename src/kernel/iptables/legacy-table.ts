// effect: system calls
// How large the tables of legacy iptables are: a system call that costs next to nothing, and tells whether somebody has
// written to them (linux/netfilter_ipv4/ip_tables.h, struct ipt_getinfo).
import { AF, close, getSocketOption, SOCK, socket, SystemError } from '#kernel/ffi.ts'
import type { IptablesFamily } from '#kernel/iptables/program.ts'
import { withNetns } from '#kernel/netns.ts'

const level = { 4: 0, 6: 41 } as const
const getInfo = 64
const rawProtocol = 255
const at = { entries: 76, size: 80, end: 84 } as const

/** Undefined where the table is not in use. */
export function legacyTableSize(
  family: IptablesFamily,
  table: string,
  netns?: string,
): { readonly entries: number; readonly bytes: number } | undefined {
  const fd = withNetns(netns, () => socket(family === 4 ? AF.inet : AF.inet6, SOCK.raw, rawProtocol))
  try {
    const info = new Uint8Array(at.end)
    info.set(new TextEncoder().encode(table))
    getSocketOption(fd, level[family], getInfo, info)
    const view = new DataView(info.buffer)
    return { entries: view.getUint32(at.entries, true), bytes: view.getUint32(at.size, true) }
  } catch (error) {
    if (error instanceof SystemError && ['ENOENT', 'ENOPROTOOPT'].includes(error.code)) return undefined
    throw error
  } finally {
    close(fd)
  }
}
