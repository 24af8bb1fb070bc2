// Every subcommand, in the order of the help. A line here and one file make a command; the file is loaded only when
// the command runs (`--help` of all of them reads this table alone).

import { version } from '#cli/version.ts'
import type { AnyCommand } from '#daemon/command.ts'

export type Entry = {
  readonly name: string
  /** one line, lower case, without a full stop; the same as the command's own */
  readonly summary: string
  readonly group: keyof typeof groups
  load(): Promise<AnyCommand>
}

/** The headings of the help, in order. */
export const groups = {
  cluster: 'A cluster on this machine',
  parts: 'The parts, each also for any other Kubernetes cluster (--kubeconfig)',
  other: 'Other',
} as const

export const commands: readonly Entry[] = [
  {
    name: 'apiserver',
    summary: 'a Kubernetes API server',
    group: 'parts',
    load: async () => (await import('#cli/process/apiserver.ts')).command,
  },
  {
    name: 'dns',
    summary: "answer the cluster's names, configured by a Corefile",
    group: 'parts',
    load: async () => (await import('#cli/process/dns.ts')).dns,
  },
  {
    name: 'version',
    summary: 'print the versions of Fairway, of the Kubernetes API that it serves, and of Node',
    group: 'other',
    load: async () => version,
  },
]
