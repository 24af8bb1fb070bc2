// Who sums the outer UDP header of what enters a tunnel: the hardware (or the kernel, late), or the kernel at once. Where the
// sum goes wrong, nearly every packet through a Service is lost, and a connection stands for a second or a minute.

import type { ExternalAddress } from '#flannel/external-interface.ts'

/** `auto`: off where it is known to go wrong. */
export const offloadSettings = ['auto', 'on', 'off'] as const
export type OffloadSetting = (typeof offloadSettings)[number]

/** The first patch release of each series in which Linux' commit ea64d8d6c675 is; 5.7 and later have it. */
const mended: Readonly<Record<string, number>> = { '4.14': 181, '4.19': 123, '5.4': 41, '5.6': 13 }

/** A masqueraded packet that is wrapped and masqueraded again gets a wrong sum (`--random-fully`). */
export function sumsWrongly(release: string): boolean {
  const [, major, minor, patch = '0'] = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(release) ?? []
  if (major === undefined) return false
  if (Number(major) > 5 || (Number(major) === 5 && Number(minor) >= 7)) return false
  return Number(patch) < (mended[`${major}.${minor}`] ?? Infinity)
}

/** Whether the tunnel's device may leave sums to others; behind NAT they are changed on the way, and have been seen to break. */
export function mayOffload(setting: OffloadSetting, release: string, { ip, publicIp }: ExternalAddress): boolean {
  return setting === 'on' || (setting === 'auto' && !sumsWrongly(release) && ip === publicIp)
}
