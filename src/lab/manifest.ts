// YAML files of objects: any number of documents, Lists taken apart, each object with the place that it came from, so that
// whatever is said about it later can name file and line.
import { LineCounter, parseAllDocuments, type Tags } from 'yaml'
import type { ApiObject } from '#api/meta.ts'
import { UserError } from '#daemon/error.ts'

export type Manifest = {
  readonly object: ApiObject & { readonly apiVersion: string; readonly kind: string }
  /** `examples/hostnames.yaml:12` */
  readonly place: string
}

const kindsWithPods = [
  'Pod',
  'Deployment',
  'ReplicaSet',
  'ReplicationController',
  'StatefulSet',
  'DaemonSet',
  'Job',
  'CronJob',
]

/** Whether pods come of an object. */
export const makesPods = ({ kind }: Manifest['object']): boolean => kindsWithPods.includes(kind)

/** Throws a UserError that names file and line. `file` is how the user called it. */
export function parseManifests(text: string, file: string): readonly Manifest[] {
  const lines = new LineCounter()
  const documents = parseAllDocuments(text, {
    lineCounter: lines,
    version: '1.1',
    customTags: asGo,
    prettyErrors: false,
  })
  if ('empty' in documents) return []
  return documents.flatMap((document) => {
    const [error] = document.errors
    if (error) throw refuse(`${file}:${lines.linePos(error.pos[0]).line}`, `not YAML: ${error.message}`)
    const value: unknown = document.toJS()
    if (value === null || value === undefined) return []
    return expand(value, `${file}:${lines.linePos(document.contents?.range?.[0] ?? 0).line}`)
  })
}

/** YAML 1.1 as Go's reader has it: octal modes, `yes` and `no`, but neither times of day nor dates. */
const asGo = (tags: Tags): Tags =>
  tags.filter((tag) => typeof tag === 'string' || (tag.format !== 'TIME' && tag.tag !== 'tag:yaml.org,2002:timestamp'))

function expand(value: unknown, place: string): readonly Manifest[] {
  if (typeof value !== 'object' || Array.isArray(value))
    throw refuse(place, `an object is expected, not ${Array.isArray(value) ? 'a list' : JSON.stringify(value)}`)
  const { apiVersion, kind, items } = value as Readonly<Record<string, unknown>>
  if (typeof apiVersion !== 'string') throw refuse(place, 'apiVersion is missing')
  if (typeof kind !== 'string') throw refuse(place, 'kind is missing')
  if (kind.endsWith('List') && Array.isArray(items)) return items.flatMap((item) => expand(item, place))
  const object = value as Manifest['object']
  if (typeof object.metadata?.name !== 'string' || object.metadata.name === '')
    throw refuse(place, `metadata.name of the ${kind} is missing`)
  return [{ object, place }]
}

const refuse = (place: string, what: string): UserError =>
  new UserError(`${place}: ${what}`, { code: 'BadManifest', remedy: 'correct the file and run the command again' })
