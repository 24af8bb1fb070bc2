// Looking into a pod: logs, exec, attach and port-forward are answered by the agent of its node. Here is only which
// container is meant, and what the agent is asked.

import type { SubresourceAnswer, SubresourceRequest } from '#apiserver/kind.ts'
import type { Pod } from '#api/core.ts'
import { type FieldError, forbidden, invalid } from '#api/field-error.ts'
import { badRequest, invalid as invalidStatus } from '#api/status.ts'

type Request = SubresourceRequest<Pod>
type Answer = Promise<SubresourceAnswer>

const logOptions = [
  'follow',
  'previous',
  'timestamps',
  'sinceSeconds',
  'sinceTime',
  'tailLines',
  'limitBytes',
  'stream',
]
/** As Kubernetes reads a flag of a URL: everything but these means yes. */
const isSet = (value: string | null) => value !== null && !['false', '0'].includes(value.toLowerCase())

export async function log({ object, query }: Request): Answer {
  const errors = checkLogOptions(query)
  if (errors.length > 0) {
    const kind = { group: '', kind: 'PodLogOptions' }
    return { kind: 'status', status: invalidStatus(kind, object.metadata?.name ?? '', errors) }
  }
  const container = containerOf(object, query.get('container') ?? '')
  if ('refused' in container) return refuse(container.refused)
  // What runs nowhere yet has said nothing.
  if (!object.spec?.nodeName) return { kind: 'text', text: '' }
  const asked = new URLSearchParams()
  for (const option of logOptions) {
    const value = query.get(option)
    if (value) asked.set(option, value)
  }
  return toNode(object, 'containerLogs', container.name, asked)
}

/** Numbers that are none are the agent's to refuse. */
function checkLogOptions(query: URLSearchParams): FieldError[] {
  const number = (name: string) => Number(query.get(name) || Number.NaN)
  const errors: FieldError[] = []
  if (number('tailLines') < 0)
    errors.push(invalid('tailLines', number('tailLines'), 'must be greater than or equal to 0'))
  if (number('limitBytes') < 1) errors.push(invalid('limitBytes', number('limitBytes'), 'must be greater than 0'))
  if (query.get('sinceSeconds') && query.get('sinceTime'))
    errors.push(forbidden('[]', 'at most one of `sinceTime` or `sinceSeconds` may be specified'))
  else if (number('sinceSeconds') < 1)
    errors.push(invalid('sinceSeconds', number('sinceSeconds'), 'must be greater than 0'))
  return errors
}

export const exec = (request: Request): Answer => stream(request, 'exec')
export const attach = (request: Request): Answer => stream(request, 'attach')

async function stream({ object, query }: Request, what: 'exec' | 'attach'): Answer {
  const container = containerOf(object, query.get('container') ?? '')
  if ('refused' in container) return refuse(container.refused)
  // The agent knows these under the kubelet's names.
  const asked = new URLSearchParams()
  const names = { stdin: 'input', stdout: 'output', stderr: 'error', tty: 'tty' }
  for (const [option, name] of Object.entries(names)) if (isSet(query.get(option))) asked.set(name, '1')
  if (what === 'exec') for (const word of query.getAll('command')) asked.append('command', word)
  return toNode(object, what, container.name, asked)
}

export async function portForward({ object, query }: Request): Answer {
  const ports = query.getAll('ports').join(',')
  return toNode(object, 'portForward', undefined, new URLSearchParams(ports === '' ? {} : { port: ports }))
}

function toNode(pod: Pod, what: string, container: string | undefined, query: URLSearchParams): SubresourceAnswer {
  const { name = '', namespace = '' } = pod.metadata ?? {}
  const node = pod.spec?.nodeName
  if (!node) return refuse(`pod ${name} does not have a host assigned`)
  const path = [what, namespace, name, ...(container === undefined ? [] : [container])]
    .map(encodeURIComponent)
    .join('/')
  const text = query.toString()
  return { kind: 'relay', node, pathAndQuery: text === '' ? `/${path}` : `/${path}?${text}` }
}

function refuse(why: string): SubresourceAnswer {
  return { kind: 'status', status: badRequest(why) }
}

/** The container that is meant: the one named, or the only one. */
function containerOf(pod: Pod, asked: string): { readonly name: string } | { readonly refused: string } {
  const name = pod.metadata?.name ?? ''
  const { initContainers = [], containers = [], ephemeralContainers = [] } = pod.spec ?? { containers: [] }
  const known = [...initContainers, ...containers, ...ephemeralContainers].map((container) => container.name)
  if (asked !== '')
    return known.includes(asked) ? { name: asked } : { refused: `container ${asked} is not valid for pod ${name}` }
  const [only] = containers
  if (only === undefined) return { refused: `a container name must be specified for pod ${name}` }
  if (containers.length === 1) return { name: only.name }
  return { refused: `a container name must be specified for pod ${name}, choose one of: [${known.join(' ')}]` }
}
