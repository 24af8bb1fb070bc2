// The checklist of one Service over a small cluster as its files show it, whole and with something taken away.
import * as assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { diagnose } from '#doctor/diagnose.ts'
import { renderReport } from '#doctor/report.ts'
import { readView } from '#doctor/view.ts'

const read = (file: string) => ({ file, text: readFileSync(`src/proxy/testdata/${file}`, 'utf8') })
const [rules, objects] = [read('seeds.v4.save'), read('seeds.yaml')]
const stepsOf = (files: readonly { readonly file: string; readonly text: string }[], service: string) =>
  diagnose(readView(files), { only: service }).steps.map(({ stage, state }) => `${stage} ${state}`)

test('checklist: what is right is said too, and what nobody gave', () => {
  const { steps, ...rest } = diagnose(readView([rules, objects]), { only: 'default/clusteripservice' })
  assert.deepEqual(
    steps.map(({ stage, state }) => `${stage} ${state}`),
    [
      'object passed',
      'dns passed',
      'selector passed',
      'readiness unknown',
      'endpoints passed',
      'listener unknown',
      'node unknown',
      'proxy passed',
      'network unknown',
      'hairpin unknown',
    ],
  )
  assert.match(steps.find(({ stage }) => stage === 'endpoints')!.text, /^10\.244\.\d\.\d+:80, /)
  const text = renderReport({ steps, ...rest })
  assert.match(text, /^ok +object +ClusterIP at 10\.110\.244\.138, 8080\/TCP to 80$/m)
  assert.match(text, /^\? +listener +not given: sockets of its pods/m)
})

test('checklist: a step that failed names its findings, and the others go on', () => {
  const damaged = {
    ...rules,
    text: rules.text.replace(/(-A KUBE-SEP-\w+ .*--to-destination )10\.244\.\d+\.\d+/, '$110.244.9.9'),
  }
  const key = /comment "([^:"]+)/.exec(/-A KUBE-SEP-\w+ .*--to-destination/.exec(rules.text)![0])![1]!
  const { steps } = diagnose(readView([damaged, objects]), { only: key })
  const proxy = steps.find(({ stage }) => stage === 'proxy')!
  assert.equal(proxy.state, 'failed')
  assert.ok(proxy.findings.includes('StaleEndpoint'))
  assert.equal(steps.at(-1)?.stage, 'hairpin')
})

test('checklist: a Service that does not exist, and one that is a name only', () => {
  assert.deepEqual(stepsOf([rules, objects], 'default/nobody'), ['object failed'])
  const alias =
    'apiVersion: v1\nkind: Service\nmetadata: { namespace: default, name: alias }\nspec: { type: ExternalName, externalName: example.org }\n'
  assert.deepEqual(stepsOf([rules, objects, { file: 'alias.yaml', text: alias }], 'default/alias'), [
    'object passed',
    'dns passed',
  ])
})
