import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { newCluster } from '#lab/cluster.ts'
import { planNewNodes } from '#lab/node-objects.ts'
import { defaultOptions } from '#lab/options.ts'
import { planCluster } from '#lab/plan.ts'

test('nodes of a new cluster have the first parts of the pods’ network, in their order', () =>
  assert.deepEqual(
    planNewNodes(planCluster(newCluster({ ...defaultOptions, podCidr: '10.99.254.0/23' }, 2))).map(
      ({ metadata, spec }) => [metadata?.name, spec?.podCIDR, spec?.podCIDRs],
    ),
    [
      ['node-1', '10.99.254.0/24', ['10.99.254.0/24']],
      ['node-2', '10.99.255.0/24', ['10.99.255.0/24']],
    ],
  ))
