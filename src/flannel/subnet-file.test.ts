import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { renderSubnetFile } from '#flannel/subnet-file.ts'

test('subnet file: the form that CNI plugins read', () => {
  const networks = { 4: '10.244.0.0/16', 6: 'fd00:10:244::/56' }
  assert.equal(
    renderSubnetFile({ networks, subnets: { 4: '10.244.1.0/24' }, mtu: 1450, masquerade: true }),
    'FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n',
  )
  const both = { 4: '10.244.1.0/24', 6: 'fd00:10:244:1::/64' }
  assert.match(
    renderSubnetFile({ networks, subnets: both, mtu: 1430, masquerade: false }),
    /\nFLANNEL_IPV6_NETWORK=fd00:10:244::\/56\nFLANNEL_IPV6_SUBNET=fd00:10:244:1::1\/64\nFLANNEL_MTU=1430\nFLANNEL_IPMASQ=false\n$/,
  )
})
