import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { expand } from '#node/pod/expand.ts'

const variables = new Map([
  ['VAR_A', 'A'],
  ['VAR_B', 'B'],
  ['VAR_REF', '$(VAR_A)'],
  ['VAR_EMPTY', ''],
])

// Rows follow the table of the expansion design that Kubernetes documents for container commands.
for (const [input, want] of [
  ['$(VAR_A)', 'A'],
  ['___$(VAR_B)___', '___B___'],
  ['$(VAR_A)-$(VAR_B)', 'A-B'],
  ['$(VAR_REF)', '$(VAR_A)'],
  ['foo $(VAR_EMPTY) bar', 'foo  bar'],
  ['$(VAR_UNKNOWN)', '$(VAR_UNKNOWN)'],
  ['$$(VAR_A)', '$(VAR_A)'],
  ['$$$(VAR_A)', '$A'],
  ['$$$$(VAR_A)', '$$(VAR_A)'],
  ['$VAR_A', '$VAR_A'],
  ['$(VAR_A', '$(VAR_A'],
  ['$', '$'],
  ['a$', 'a$'],
  ['$()', '$()'],
  ['$(hostname) is not one of ours', '$(hostname) is not one of ours'],
  ['$((1+1))', '$((1+1))'],
] as const)
  test(`expand ${input}`, () => assert.equal(expand(input, variables), want))

test('expand: the first source wins', () => {
  assert.equal(expand('$(X)', new Map([['X', 'own']]), new Map([['X', 'service']])), 'own')
})
