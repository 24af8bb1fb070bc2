// Words that findings about the DNS share.

import { inNamespace } from '#doctor/compare/words.ts'
import type { Asker } from '#doctor/dns/askers.ts'
import type { Forward } from '#doctor/dns/forwards.ts'
import { keyOf } from '#doctor/view.ts'

export const aboutOf = ({ map, zone }: Forward): string => `configmap/${keyOf(map)}${zone === '.' ? '' : `, ${zone}`}`
export const namesIn = ({ zone }: Forward): string => (zone === '.' ? 'names outside the cluster' : `names in ${zone}`)
export const lineOf = ({ map, where, text }: Forward): string => `configmap ${keyOf(map)}, ${where}: ${text}`
export const editOf = ({ map, text }: Forward, note: string): string =>
  `kubectl edit configmap ${inNamespace(keyOf(map))}   # ${text}: ${note}`

export const filesOf = (askers: readonly Asker[]): readonly string[] =>
  askers.flatMap(({ file }) =>
    file === undefined
      ? []
      : [`${file.from}: ${file.servers.map((ip) => `nameserver ${ip}`).join(', ') || 'no nameserver'}`],
  )
