// What form of an answer a client asks for with its Accept header, of those that the server has.

export type Representation =
  | { readonly kind: 'json' }
  | { readonly kind: 'yaml' }
  /** metadata only: PartialObjectMetadata */
  | { readonly kind: 'partial'; readonly version: 'v1' | 'v1beta1' }
  /** rows for people: server-side printing */
  | { readonly kind: 'table'; readonly version: 'v1' | 'v1beta1'; readonly include: Include }
/** What of the object a table row carries. */
export type Include = 'Metadata' | 'Object' | 'None'

export const acceptedTypes = ['application/json', 'application/yaml']

/** `includeObject` is the query's. Undefined: none of what the client takes is there. */
export function negotiate(accept: string | undefined, includeObject: Include = 'Metadata'): Representation | undefined {
  if (accept === undefined || accept.trim() === '') return { kind: 'json' }
  const clauses = accept.split(',').map(parseClause)
  // Clients put what they like best first; Go's quality parameter is rare but meant.
  for (const clause of clauses.sort((a, b) => b.quality - a.quality)) {
    const found = representationOf(clause, includeObject)
    if (found !== undefined) return found
  }
  return undefined
}

type Clause = { readonly type: string; readonly parameters: ReadonlyMap<string, string>; readonly quality: number }

function parseClause(text: string): Clause {
  const [type = '', ...rest] = text.split(';').map((part) => part.trim())
  const parameters = new Map(
    rest.map((part) => {
      const [name = '', value = ''] = part.split('=', 2)
      return [name.trim(), value.trim().replace(/^"(.*)"$/, '$1')]
    }),
  )
  const quality = Number(parameters.get('q') ?? 1)
  return { type: type.toLowerCase(), parameters, quality: Number.isNaN(quality) ? 1 : quality }
}

function representationOf({ type, parameters }: Clause, include: Include): Representation | undefined {
  const isJson = ['application/json', 'application/*', '*/*'].includes(type)
  const isYaml = type === 'application/yaml'
  if (!isJson && !isYaml) return undefined
  const as = parameters.get('as')
  if (as === undefined) return isYaml ? { kind: 'yaml' } : { kind: 'json' }
  const version = parameters.get('v')
  if (parameters.get('g') !== 'meta.k8s.io' || (version !== 'v1' && version !== 'v1beta1')) return undefined
  if (as === 'Table') return { kind: 'table', version, include }
  if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') return { kind: 'partial', version }
  return undefined
}

/** The Content-Type of an answer; a stream's has its framing in it. */
export function contentTypeOf(representation: Representation): string {
  return representation.kind === 'yaml' ? 'application/yaml' : 'application/json'
}

/** Which clients share the bytes of an event. */
export function keyOf(representation: Representation): string {
  switch (representation.kind) {
    case 'json':
    case 'yaml':
      return representation.kind
    case 'partial':
      return `partial ${representation.version}`
    case 'table':
      return `table ${representation.version} ${representation.include}`
  }
}
