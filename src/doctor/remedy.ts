// What puts a fault right: commands, which read differently in a cluster of Fairway's and in any other.

import { unnamed } from '#trace/read/read-world.ts'
import type { Step } from '#trace/way.ts'

export type Remedy =
  /** a command of this machine; `#` begins what a person has to know */
  | string
  /** a command on a node */
  | { readonly kind: 'on-node'; readonly node: string; readonly run: string; readonly note?: string }
  /** a part of a node begins anew, and writes all its rules or routes again */
  | { readonly kind: 'restart'; readonly node: string; readonly part: 'proxy' | 'pod-network' }

/** Whose commands there are: `machine` where nothing but a dump of one machine is known. */
export type ClusterKind = 'fairway' | 'kubernetes' | 'machine'

export const onNode = (node: string, run: string, note?: string): Remedy => ({
  kind: 'on-node',
  node,
  run,
  ...(note !== undefined && { note }),
})

/** A script of a shell, quoted. */
export const script = (text: string): string => `sh -c '${text}'`

export const restart = (part: 'proxy' | 'pod-network', nodes: readonly string[]): Remedy[] =>
  nodes.map((node) => ({ kind: 'restart', node, part }))

export function renderRemedy(remedy: Remedy, cluster: ClusterKind): string {
  if (typeof remedy === 'string') return remedy
  if (remedy.kind === 'restart') return renderRestart(remedy.node, remedy.part, cluster)
  const { node, run, note } = remedy
  return `${enter(node, cluster)}${run}${note === undefined ? '' : `   # ${note}`}`
}

/** `kubectl debug` makes a pod on the node's own network and file system, and needs kubectl 1.27 for the profile. */
const enter = (node: string, cluster: ClusterKind): string =>
  node === unnamed || cluster === 'machine'
    ? ''
    : cluster === 'fairway'
      ? `fairway exec node/${node} -- `
      : `kubectl debug node/${node} -it --profile=sysadmin --image=busybox -- chroot /host `

function renderRestart(node: string, part: 'proxy' | 'pod-network', cluster: ClusterKind): string {
  const selector = part === 'proxy' ? '-n kube-system -l k8s-app=kube-proxy' : '-A -l app=flannel'
  switch (cluster) {
    case 'fairway': {
      const own = part === 'proxy' ? 'proxy' : 'flannel'
      return `fairway node kill ${node} --part ${own}; fairway node start ${node} --part ${own}`
    }
    case 'kubernetes':
      return `kubectl delete pod ${selector} --field-selector spec.nodeName=${node}`
    case 'machine':
      return `kubectl delete pod ${selector}   # the one of this node`
  }
}

/** The command that takes a rule away; undefined for policies, and where the dump does not tell a rule's number. */
export function deletionOf({ place, chain, rule, origin, handle }: Step): string | undefined {
  const words = place.split(' ')
  if (rule?.startsWith('-A ') === true && origin !== undefined) {
    const file = origin.file.split('/').at(-1) ?? ''
    const tool = `${/ip6|v6/.test(file) ? 'ip6tables' : 'iptables'}${file.includes('legacy') ? '-legacy' : ''}`
    return `${tool} -t ${words[0]} -D ${rule.slice(3)}`
  }
  return handle === undefined || chain === undefined || words.length < 3
    ? undefined
    : `nft delete rule ${words[0]} ${words[1]} ${chain} handle ${handle}`
}
