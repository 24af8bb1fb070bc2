import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSubnetFile } from '#node/cni/subnet-file.ts'

test('subnet.env: both families, as flannel writes it', () => {
  const text = `FLANNEL_NETWORK=10.244.0.0/16
FLANNEL_SUBNET=10.244.1.1/24
FLANNEL_IPV6_NETWORK=fd00:10:244::/56
FLANNEL_IPV6_SUBNET=fd00:10:244:1::1/64
FLANNEL_MTU=1430
FLANNEL_IPMASQ=true
`
  assert.deepEqual(parseSubnetFile(text), {
    subnets: ['10.244.1.0/24', 'fd00:10:244:1::/64'],
    networks: ['10.244.0.0/16', 'fd00:10:244::/56'],
    mtu: 1430,
    masquerades: true,
  })
})

test('subnet.env: half of one is none', () => {
  for (const text of ['', 'FLANNEL_MTU=1450\n', 'FLANNEL_SUBNET=10.244.1.1/24\n', 'FLANNEL_SUBNET=x\nFLANNEL_MTU=1450'])
    assert.equal(parseSubnetFile(text), undefined)
})
