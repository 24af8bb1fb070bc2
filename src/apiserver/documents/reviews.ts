// Requests that are answered without being stored: who am I, what may I do.

import type { Discovered } from '#api/discovery-document.ts'
import type { ApiObject } from '#api/meta.ts'
import type { Typed } from '#api/schema/schema.ts'
import { formatTime } from '#api/time.ts'
import { type FieldError, invalid as invalidField, required } from '#api/field-error.ts'
import { badRequest, invalid, noSuchMethod, StatusError } from '#api/status.ts'
import type { Attributes } from '#apiserver/auth/attributes.ts'
import type { Authorizer } from '#apiserver/auth/authorizer.ts'
import { parseWriteOptions } from '#apiserver/engine/options.ts'
import type { Answer, ApiRequest } from '#apiserver/http/answer.ts'
import { decodeBody } from '#apiserver/http/decode-body.ts'
import type { VerifyToken } from '#apiserver/http/authenticate.ts'
import { valueAnswer } from '#apiserver/http/read.ts'
import type { Target } from '#apiserver/http/target.ts'
import type { User } from '#apiserver/kind.ts'

type ResourceTarget = Extract<Target, { kind: 'resource' }>
type AccessSpec = Typed<'authorization', 'SubjectAccessReviewSpec'>

export type Reviews = {
  readonly authorizer: Authorizer
  readonly verifyToken: VerifyToken | undefined
  nowMs(): number
}

type Review = {
  readonly type: string
  /** what is wrong with the object in a body; default: nothing */
  check?(object: ApiObject & { readonly spec: AccessSpec }, namespace: string): readonly FieldError[]
  review(reviews: Reviews, object: never, user: User, namespace: string): unknown
}

const authorization = { group: 'authorization.k8s.io', version: 'v1' }
const authentication = { group: 'authentication.k8s.io', version: 'v1' }

const table: readonly (Review & Pick<Discovered, 'group' | 'version' | 'plural' | 'kind' | 'namespaced'>)[] = [
  {
    ...authentication,
    plural: 'selfsubjectreviews',
    kind: 'SelfSubjectReview',
    namespaced: false,
    type: 'authentication.SelfSubjectReview',
    review: ({ nowMs }, _object: ApiObject, user) => ({
      metadata: { creationTimestamp: formatTime(nowMs()) },
      status: { userInfo: userInfo(user) },
    }),
  },
  {
    ...authentication,
    plural: 'tokenreviews',
    kind: 'TokenReview',
    namespaced: false,
    type: 'authentication.TokenReview',
    review: async ({ verifyToken }, { spec }: Typed<'authentication', 'TokenReview'>) => {
      if (!spec.token) throw new StatusError(badRequest('token is required for TokenReview in authentication'))
      const user = await verifyToken?.(spec.token)
      return user === undefined
        ? { spec, status: { authenticated: false, error: 'invalid bearer token' } }
        : { spec, status: { authenticated: true, user: userInfo(user), audiences: spec.audiences } }
    },
  },
  {
    ...authorization,
    plural: 'selfsubjectaccessreviews',
    kind: 'SelfSubjectAccessReview',
    namespaced: false,
    type: 'authorization.SelfSubjectAccessReview',
    check: ({ spec }) => checkAsked(spec),
    review: ({ authorizer }, { spec }: { spec: AccessSpec }, user) => ({
      spec,
      status: statusOf(authorizer, spec, user),
    }),
  },
  ...['subjectaccessreviews', 'localsubjectaccessreviews'].map((plural) => ({
    ...authorization,
    plural,
    kind: plural.startsWith('local') ? 'LocalSubjectAccessReview' : 'SubjectAccessReview',
    namespaced: plural.startsWith('local'),
    type: 'authorization.SubjectAccessReview',
    check: ({ spec }: { spec: AccessSpec }, namespace: string) => [
      ...checkAsked(spec),
      ...(spec.user || spec.groups?.length
        ? []
        : [invalidField('spec.user', '', 'at least one of user or group must be specified')]),
      ...(plural.startsWith('local') ? checkLocal(spec, namespace) : []),
    ],
    review: ({ authorizer }: Reviews, { spec }: { spec: AccessSpec }) => {
      const subject: User = { name: spec.user ?? '', groups: spec.groups ?? [] }
      return { spec, status: statusOf(authorizer, spec, subject) }
    },
  })),
  {
    ...authorization,
    plural: 'selfsubjectrulesreviews',
    kind: 'SelfSubjectRulesReview',
    namespaced: false,
    type: 'authorization.SelfSubjectRulesReview',
    review: ({ authorizer }, { spec }: { spec: { namespace?: string } }, user) => {
      const { rules, problem } = authorizer.rulesOf(user, spec.namespace ?? '')
      const resourceRules = rules
        .filter(({ resources }) => resources?.length)
        .map(({ verbs, apiGroups, resources, resourceNames }) => ({ verbs, apiGroups, resources, resourceNames }))
      const nonResourceRules = rules
        .filter(({ nonResourceURLs }) => nonResourceURLs?.length)
        .map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs }))
      const evaluationError = problem === '' ? undefined : problem
      return { spec, status: { resourceRules, nonResourceRules, incomplete: problem !== '', evaluationError } }
    },
  },
]

function checkAsked({ resourceAttributes: resource, nonResourceAttributes: path }: AccessSpec): FieldError[] {
  if (resource !== undefined && path !== undefined) {
    const shown = { Path: path.path ?? '', Verb: path.verb ?? '' }
    return [
      invalidField('spec.nonResourceAttributes', shown, 'cannot be specified in combination with resourceAttributes'),
    ]
  }
  if (resource !== undefined || path !== undefined) return []
  const why = 'exactly one of nonResourceAttributes or resourceAttributes must be specified'
  return [invalidField('spec.resourceAttributes', null, why)]
}

function checkLocal({ resourceAttributes, nonResourceAttributes }: AccessSpec, namespace: string): FieldError[] {
  const said = resourceAttributes?.namespace ?? ''
  const errors: FieldError[] = []
  if (resourceAttributes !== undefined && said !== namespace)
    errors.push(invalidField('spec.resourceAttributes.namespace', said, 'must match metadata.namespace'))
  if (nonResourceAttributes !== undefined)
    errors.push(invalidField('spec.nonResourceAttributes', nonResourceAttributes, 'disallowed on this kind of request'))
  return errors
}

/** What discovery says of them. */
export const discoveredReviews: readonly Discovered[] = table.map(({ group, version, plural, kind, namespaced }) => ({
  group,
  version,
  plural,
  kind,
  namespaced,
  singular: kind.toLowerCase(),
  shortNames: [],
  categories: [],
  verbs: ['create'],
  subresources: [],
}))

const reviewOf = ({ group, version, plural }: ResourceTarget) =>
  table.find((row) => row.group === group && row.version === version && row.plural === plural)

export const isReview = (target: ResourceTarget): boolean => target.subresource === '' && reviewOf(target) !== undefined

/** Undefined: not a review. Throws StatusError. */
export async function answerReview(
  reviews: Reviews,
  request: ApiRequest,
  target: ResourceTarget,
): Promise<Answer | undefined> {
  const { group, version, namespace, verb, plural } = target
  const found = reviewOf(target)
  if (found === undefined) return undefined
  if (verb !== 'create') throw new StatusError(noSuchMethod())
  const { fieldValidation } = parseWriteOptions(request.query, 'CreateOptions')
  const expected = { type: found.type, apiVersion: `${group}/${version}`, kind: found.kind }
  const warnings: string[] = []
  const object = decodeBody(request, expected, fieldValidation, (text) => warnings.push(text)) as ApiObject & {
    spec?: object
  }
  if (object.spec === undefined && plural !== 'selfsubjectreviews')
    throw new StatusError(invalid({ group, kind: found.kind }, '', [required('spec')]))
  const errors = found.check?.(object as ApiObject & { spec: AccessSpec }, namespace) ?? []
  // Upstream names no kind here.
  if (errors.length > 0) throw new StatusError(invalid({ group, kind: '' }, '', errors))
  const answer = (await found.review(reviews, object as never, request.user, namespace)) as object
  const whole = { kind: found.kind, apiVersion: expected.apiVersion, metadata: {}, ...answer }
  return valueAnswer(request, whole, 201, warnings)
}

const userInfo = ({ name, uid, groups, extra }: User) => ({
  username: name,
  ...(uid === undefined ? {} : { uid }),
  groups,
  ...(extra === undefined ? {} : { extra }),
})

function statusOf(authorizer: Authorizer, spec: AccessSpec, user: User) {
  const { allowed, reason } = authorizer.decide(askedOf(spec, user))
  return { allowed, ...(reason === '' ? {} : { reason }) }
}

function askedOf({ resourceAttributes, nonResourceAttributes }: AccessSpec, user: User): Attributes {
  if (resourceAttributes === undefined)
    return {
      kind: 'path',
      user,
      verb: nonResourceAttributes?.verb ?? '',
      path: nonResourceAttributes?.path ?? '',
    }
  const {
    verb = '',
    group = '',
    version = '',
    resource = '',
    subresource = '',
    namespace = '',
    name = '',
  } = resourceAttributes
  return { kind: 'resource', user, verb, group, version, resource, subresource, namespace, name, fields: [] }
}
