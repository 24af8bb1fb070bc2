import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { keyOf, negotiate } from '#apiserver/print/accept.ts'

const table: readonly [accept: string | undefined, want: string | undefined][] = [
  [undefined, 'json'],
  ['', 'json'],
  ['*/*', 'json'],
  ['application/json, */*', 'json'],
  ['application/yaml', 'yaml'],
  ['application/vnd.kubernetes.protobuf,application/json', 'json'],
  [
    'application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json',
    'table v1 Metadata',
  ],
  ['application/json;as=Table;v=v1beta1;g=meta.k8s.io', 'table v1beta1 Metadata'],
  ['application/json;as=Table;v=v2;g=meta.k8s.io,application/json', 'json'],
  ['application/json;as=Table;v=v2;g=meta.k8s.io', undefined],
  [
    'application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json',
    'partial v1',
  ],
  ['application/yaml;q=0.5, application/json', 'json'],
  ['text/html', undefined],
]

test('which representation a client gets', () => {
  for (const [accept, want] of table) {
    const got = negotiate(accept)
    assert.equal(got && keyOf(got), want, String(accept))
  }
})
