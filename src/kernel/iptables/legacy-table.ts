// effect: system calls
// How large the tables of legacy iptables are, and what is in them: system calls that cost next to nothing, and tell whether
// somebody has written to them (linux/netfilter_ipv4/ip_tables.h, struct ipt_getinfo, ipt_get_entries, ipt_entry).
import { AF, close, getSocketOption, SOCK, socket, SystemError } from '#kernel/ffi.ts'
import type { IptablesFamily } from '#kernel/iptables/program.ts'
import { withNetns } from '#kernel/netns.ts'

const level = { 4: 0, 6: 41 } as const
const getInfo = 64
const getEntries = 65
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

/** Where the rules begin in an answer, and in each rule its length and its counters. */
const entriesAt = 40
const ruleAt = { 4: { next: 90, counters: 96 }, 6: { next: 142, counters: 152 } } as const
const countersLength = 16

/** A hash of all rules of a table that is `bytes` long, without their counters; of nothing where it just changed its size. */
export function legacyTableDigest(family: IptablesFamily, table: string, bytes: number, netns?: string): number {
  const fd = withNetns(netns, () => socket(family === 4 ? AF.inet : AF.inet6, SOCK.raw, rawProtocol))
  try {
    const answer = new Uint8Array(entriesAt + bytes)
    answer.set(new TextEncoder().encode(table))
    const view = new DataView(answer.buffer)
    view.setUint32(32, bytes, true)
    getSocketOption(fd, level[family], getEntries, answer)
    return hashRules(answer, view, ruleAt[family])
  } catch (error) {
    if (error instanceof SystemError && ['EAGAIN', 'EINVAL', 'ENOENT'].includes(error.code)) return 0
    throw error
  } finally {
    close(fd)
  }
}

/** FNV-1a over words of 4 bytes. */
function hashRules(answer: Uint8Array, view: DataView, { next, counters }: (typeof ruleAt)[4 | 6]): number {
  let hash = 0x811c9dc5
  const add = (from: number, to: number) => {
    for (let at = from; at < to; at += 4) hash = Math.imul(hash ^ view.getUint32(at, true), 0x01000193)
  }
  for (let at = entriesAt; at + counters < answer.length;) {
    const end = at + view.getUint16(at + next, true)
    if (end <= at) break
    add(at, at + counters)
    add(at + counters + countersLength, end)
    at = end
  }
  return hash >>> 0
}
