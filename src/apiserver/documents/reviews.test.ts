// Reviews that ask for nothing, or for too much, with what kube-apiserver 1.36 was seen to answer.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StatusError } from '#api/status.ts'
import { answerReview, type Reviews } from '#apiserver/documents/reviews.ts'
import type { ApiRequest } from '#apiserver/http/answer.ts'
import { targetOf } from '#apiserver/http/target.ts'

const reviews: Reviews = {
  authorizer: {
    decide: () => ({ allowed: true, reason: '' }),
    rulesOf: () => ({ rules: [], problem: '' }),
  },
  verifyToken: undefined,
  nowMs: () => 0,
}
const authorization = '/apis/authorization.k8s.io/v1'

async function post(path: string, kind: string, spec: object): Promise<unknown> {
  const apiVersion = path.split('/').slice(2, 4).join('/')
  const request: ApiRequest = {
    method: 'POST',
    path,
    query: new URLSearchParams(),
    queryText: '',
    header: () => undefined,
    user: { name: 'tester', groups: [] },
    body: new TextEncoder().encode(JSON.stringify({ apiVersion, kind, spec })),
  }
  const target = targetOf('POST', path, request.query)
  assert.ok(target.kind === 'resource')
  try {
    const answer = await answerReview(reviews, request, target)
    return answer?.kind === 'bytes' ? answer.code : answer?.kind
  } catch (error) {
    assert.ok(error instanceof StatusError)
    return `${error.status.code} ${error.status.message}`
  }
}

const pods = { verb: 'get', resource: 'pods', namespace: 'x' }
const missing =
  'spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified'
const refused = '422 .authorization.k8s.io "" is invalid'

const table: readonly (readonly [path: string, kind: string, spec: object, want: unknown])[] = [
  ['selfsubjectaccessreviews', 'SelfSubjectAccessReview', { resourceAttributes: pods }, 201],
  ['selfsubjectaccessreviews', 'SelfSubjectAccessReview', {}, `${refused}: ${missing}`],
  ['subjectaccessreviews', 'SubjectAccessReview', { user: 'a', resourceAttributes: pods }, 201],
  ['subjectaccessreviews', 'SubjectAccessReview', { groups: ['a'], resourceAttributes: pods }, 201],
  [
    'subjectaccessreviews',
    'SubjectAccessReview',
    { resourceAttributes: {}, nonResourceAttributes: {} },
    `${refused}: [spec.nonResourceAttributes: Invalid value: {"Path":"","Verb":""}: cannot be specified in combination with resourceAttributes, spec.user: Invalid value: "": at least one of user or group must be specified]`,
  ],
  ['namespaces/x/localsubjectaccessreviews', 'LocalSubjectAccessReview', { user: 'a', resourceAttributes: pods }, 201],
  [
    'namespaces/y/localsubjectaccessreviews',
    'LocalSubjectAccessReview',
    { user: 'a', resourceAttributes: pods },
    `${refused}: spec.resourceAttributes.namespace: Invalid value: "x": must match metadata.namespace`,
  ],
]

test('what a review may ask', async () => {
  for (const [path, kind, spec, want] of table)
    assert.equal(await post(`${authorization}/${path}`, kind, spec), want, `${kind} ${JSON.stringify(spec)}`)
  const tokens = '/apis/authentication.k8s.io/v1/tokenreviews'
  assert.equal(await post(tokens, 'TokenReview', {}), '400 token is required for TokenReview in authentication')
  assert.equal(await post(tokens, 'TokenReview', { token: 'x' }), 201)
})
