import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { serviceEnvironment, type ServiceEnvView } from '#node/pod/service-env.ts'

const service = (namespace: string, name: string, clusterIp: string, ...ports: ServiceEnvView['ports']) => ({
  namespace,
  name,
  clusterIp,
  ports,
})
const kubernetes = service('default', 'kubernetes', '10.96.0.1', { name: 'https', protocol: 'TCP', port: 443 })
const services = [
  kubernetes,
  service('shop', 'redis-master', '10.96.0.11', { name: '', protocol: 'TCP', port: 6379 }),
  service('shop', 'headless', 'None', { name: '', protocol: 'TCP', port: 80 }),
  service('shop', 'external', '', { name: '', protocol: 'TCP', port: 80 }),
  service('other', 'elsewhere', '10.96.0.12', { name: '', protocol: 'TCP', port: 80 }),
]

test('service variables: both forms, for one port without a name', () => {
  const env = serviceEnvironment(services, 'shop', true)
  const redis = Object.fromEntries([...env].filter(([name]) => name.startsWith('REDIS')))
  assert.deepEqual(redis, {
    REDIS_MASTER_SERVICE_HOST: '10.96.0.11',
    REDIS_MASTER_SERVICE_PORT: '6379',
    REDIS_MASTER_PORT: 'tcp://10.96.0.11:6379',
    REDIS_MASTER_PORT_6379_TCP: 'tcp://10.96.0.11:6379',
    REDIS_MASTER_PORT_6379_TCP_PROTO: 'tcp',
    REDIS_MASTER_PORT_6379_TCP_PORT: '6379',
    REDIS_MASTER_PORT_6379_TCP_ADDR: '10.96.0.11',
  })
})

test('service variables: which Services', () => {
  const hosts = (namespace: string, links: boolean) =>
    [...serviceEnvironment(services, namespace, links).keys()].filter((name) => name.endsWith('_SERVICE_HOST')).sort()
  assert.deepEqual(hosts('shop', true), ['KUBERNETES_SERVICE_HOST', 'REDIS_MASTER_SERVICE_HOST'])
  assert.deepEqual(hosts('shop', false), ['KUBERNETES_SERVICE_HOST'])
  assert.deepEqual(hosts('empty', true), ['KUBERNETES_SERVICE_HOST'])
})

test('service variables: named ports and IPv6', () => {
  const six = service('shop', 'six', 'fd00::9', { name: 'a-b', protocol: 'UDP', port: 53 })
  const env = serviceEnvironment([six], 'shop', true)
  assert.equal(env.get('SIX_SERVICE_PORT_A_B'), '53')
  assert.equal(env.get('SIX_PORT'), 'udp://[fd00::9]:53')
  assert.equal(env.get('SIX_PORT_53_UDP_ADDR'), 'fd00::9')
})
