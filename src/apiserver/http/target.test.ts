import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { targetOf } from '#apiserver/http/target.ts'

// verb group/version/resource[/subresource] namespace name, as kube-apiserver's RequestInfo has it
const table: readonly [method: string, url: string, want: string][] = [
  ['GET', '/api/v1/pods', 'list /v1/pods ns= name='],
  ['GET', '/api/v1/namespaces/a/pods', 'list /v1/pods ns=a name='],
  ['GET', '/api/v1/namespaces/a/pods?watch=true', 'watch /v1/pods ns=a name='],
  ['GET', '/api/v1/namespaces/a/pods?watch=0', 'list /v1/pods ns=a name='],
  ['GET', '/api/v1/namespaces/a/pods?watch', 'watch /v1/pods ns=a name='],
  ['GET', '/api/v1/watch/namespaces/a/pods/p', 'watch /v1/pods ns=a name=p'],
  ['GET', '/api/v1/namespaces/a/pods/p', 'get /v1/pods ns=a name=p'],
  ['HEAD', '/api/v1/namespaces/a/pods/p', 'get /v1/pods ns=a name=p'],
  ['GET', '/api/v1/pods?fieldSelector=metadata.name%3Dp', 'list /v1/pods ns= name=p'],
  ['POST', '/apis/apps/v1/namespaces/a/deployments', 'create apps/v1/deployments ns=a name='],
  ['PUT', '/apis/apps/v1/namespaces/a/deployments/d/status', 'update apps/v1/deployments/status ns=a name=d'],
  ['PATCH', '/apis/apps/v1/namespaces/a/deployments/d/scale', 'patch apps/v1/deployments/scale ns=a name=d'],
  ['DELETE', '/api/v1/namespaces/a/pods', 'deletecollection /v1/pods ns=a name='],
  ['DELETE', '/api/v1/nodes/n', 'delete /v1/nodes ns= name=n'],
  ['GET', '/api/v1/namespaces', 'list /v1/namespaces ns= name='],
  ['GET', '/api/v1/namespaces/a', 'get /v1/namespaces ns=a name=a'],
  ['PUT', '/api/v1/namespaces/a/finalize', 'update /v1/namespaces/finalize ns=a name=a'],
  ['PUT', '/api/v1/namespaces/a/status', 'update /v1/namespaces/status ns=a name=a'],
  ['GET', '/api/v1/namespaces/a/pods/p/proxy/x/y', 'get /v1/pods/proxy ns=a name=p rest=x/y'],
  ['GET', '/api/v1/namespaces/a%2Fb/pods', 'list /v1/pods ns=a/b name='],
  ['GET', '/api/v1', 'get path /api/v1'],
  ['GET', '/apis/apps/v1', 'get path /apis/apps/v1'],
  ['GET', '/healthz', 'get path /healthz'],
  ['OPTIONS', '/api/v1/pods', 'options path /api/v1/pods'],
  ['GET', '/api/v1/%zz', 'get path /api/v1/%zz'],
]

test('what a request is about', () => {
  for (const [method, url, want] of table) {
    const [path = '', query] = url.split('?')
    const target = targetOf(method, path, new URLSearchParams(query))
    const got =
      target.kind === 'other'
        ? `${target.verb} path ${target.path}`
        : `${target.verb} ${target.group}/${target.version}/${target.plural}${target.subresource && `/${target.subresource}`} ns=${target.namespace} name=${target.name}${target.rest && ` rest=${target.rest}`}`
    assert.equal(got, want, `${method} ${url}`)
  }
})
