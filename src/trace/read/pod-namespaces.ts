// Whose network namespaces are that a script found on a node, `nodes/NAME/namespaces/ID/FILE`: those of the pods that have
// their addresses.

import type { Pod } from '#api/core.ts'
import { parseLinks } from '#kernel/dump/link.ts'
import { identify } from '#trace/read/identify.ts'
import type { Input } from '#trace/read/iptables.ts'
import { readObjects, sortObjects } from '#trace/read/objects.ts'
import { podIps } from '#trace/world.ts'

const form = /^(.*\/)?nodes\/([^/]+)\/namespaces\/([^/]+)\/([^/]+)$/

/** What the node calls that namespace, where a link of it leads there: `0`, `unassigned`. */
const numberFile = 'netnsid.txt'

/**
 * The same files, those of pods named `pods/NAMESPACE/NAME/FILE`; namespaces of nobody who is known are left out. Where
 * several have a pod's address, as with two clusters on one machine, the pod's is the one that a link of the node leads into.
 */
export function namePodFiles(files: readonly Input[]): readonly Input[] {
  const parts = files.map(({ file }) => form.exec(file))
  if (parts.every((part) => part === null)) return files
  const pods = podsByAddress(files)
  const linked = new Set(
    parts.flatMap((part, i) => (part?.[4] === numberFile && /^\d+\s*$/.test(files[i]!.text) ? [idOf(part)] : [])),
  )
  const namespaces = new Map<string, string>()
  for (const [i, part] of parts.entries()) {
    const { text, file } = files[i]!
    if (part === null || identify(text, file) !== 'ip addr') continue
    const pod = parseLinks(text)
      .value.flatMap(({ addresses }) => addresses ?? [])
      .map(({ ip }) => pods.get(`${part[2]} ${ip}`))
      .find((name) => name !== undefined)
    if (pod === undefined) continue
    const known = namespaces.get(pod)
    if (known === undefined || (!linked.has(known) && linked.has(idOf(part)))) namespaces.set(pod, idOf(part))
  }
  const owners = new Map([...namespaces].map(([pod, id]) => [id, pod]))
  return files.flatMap((input, i): readonly Input[] => {
    const part = parts[i]
    if (part === null || part === undefined) return [input]
    const owner = owners.get(idOf(part))
    return owner === undefined || part[4] === numberFile
      ? []
      : [{ ...input, file: `${part[1] ?? ''}pods/${owner}/${part[4]}` }]
  })
}

const idOf = ([, , node = '', id = '']: readonly string[]): string => `${node} ${id}`

function podsByAddress(files: readonly Input[]): ReadonlyMap<string, string> {
  const objects = files
    .filter(({ file, text }) => identify(text, file) === 'objects')
    .flatMap(({ text }) => {
      const read = readObjects(text)
      return typeof read === 'string' ? [] : read
    })
  const own = (pod: Pod) =>
    pod.spec?.hostNetwork !== true && pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed'
  return new Map(
    sortObjects(objects)
      .pods.filter(own)
      .flatMap((pod) =>
        podIps(pod).map((ip): [string, string] => [
          `${pod.spec?.nodeName ?? ''} ${ip}`,
          `${pod.metadata?.namespace ?? 'default'}/${pod.metadata?.name ?? ''}`,
        ]),
      ),
  )
}
