// The layer between this machine's root file system and what a container writes: it hides what is nobody's business in
// a pod, and adds the built-in programs. It keeps users apart from accidents; it is no security boundary.

import { inside } from '#node/images/resolve.ts'

export type BaseEntry =
  /** an empty folder that hides the machine's own */
  | { readonly kind: 'hide'; readonly path: string; readonly mode: number }
  /** a folder that only exists as a place to mount on, or holds what follows */
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'file'; readonly path: string; readonly mode: number; readonly text: string }
  | { readonly kind: 'link'; readonly path: string; readonly to: string }

const folders: readonly (readonly [path: string, mode: number])[] = [
  ['/root', 0o700],
  ['/home', 0o755],
  ['/run', 0o755],
  ['/tmp', 0o1777],
  ['/var/tmp', 0o1777],
  ['/var/log', 0o755],
  ['/var/backups', 0o755],
  ['/boot', 0o755],
  ['/mnt', 0o755],
  ['/media', 0o755],
  ['/srv', 0o755],
  ['/etc/ssh', 0o755],
  ['/etc/ssl/private', 0o710],
  ['/etc/kubernetes', 0o700],
  ['/etc/rancher', 0o700],
  ['/var/lib/kubelet', 0o700],
  ['/var/lib/docker', 0o700],
  ['/var/lib/containerd', 0o700],
  ['/var/lib/rancher', 0o700],
  ['/var/lib/etcd', 0o700],
  ['/var/spool', 0o755],
]

/**
 * `secret`: more folders to hide, as the cluster's state with its keys. `program`: the text of the built-in program.
 * `hasPython`: whether the machine has a python3 to call python, and no python.
 */
export function planBaseLayer(o: {
  readonly secret: readonly string[]
  readonly program: string
  readonly hasPython: boolean
}): readonly BaseEntry[] {
  const isHidden = (path: string) => folders.some(([folder]) => path.startsWith(`${folder}/`))
  const secret = o.secret.filter((path) => !isHidden(path)).map((path) => [path, 0o700] as const)
  const shadow = 'root:*:19000:0:99999:7:::\nnobody:*:19000:0:99999:7:::\n'
  return [
    ...[...folders, ...secret].map(([path, mode]): BaseEntry => ({ kind: 'hide', path, mode })),
    { kind: 'file', path: '/etc/shadow', mode: 0o640, text: shadow },
    { kind: 'file', path: '/etc/gshadow', mode: 0o640, text: 'root:*::\n' },
    { kind: 'file', path: '/etc/resolv.conf', mode: 0o644, text: '' },
    { kind: 'file', path: '/etc/hostname', mode: 0o644, text: '' },
    { kind: 'file', path: '/etc/hosts', mode: 0o644, text: '' },
    { kind: 'file', path: inside.node, mode: 0o755, text: '' },
    { kind: 'folder', path: inside.checkout },
    { kind: 'file', path: programPath, mode: 0o644, text: o.program },
    { kind: 'file', path: inside.agnhost, mode: 0o755, text: launcher },
    ...(o.hasPython ? [{ kind: 'link', path: '/usr/local/bin/python', to: '/usr/bin/python3' } as const] : []),
  ]
}

const programPath = '/usr/lib/fairway/agnhost.cjs'
/** Few threads and a small young generation: many of these run at once. */
const launcher = `#!/bin/sh
exec ${inside.node} --max-semi-space-size=1 --max-old-space-size=64 --v8-pool-size=0 ${programPath} "$@"
`
