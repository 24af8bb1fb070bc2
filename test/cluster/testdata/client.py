# What programs do with python3-kubernetes, on the cluster of $KUBECONFIG and the pod `server` in it. Prints a line for each
# thing: `ok NAME`, or `failed NAME: why`.
import threading

from kubernetes import client, config, dynamic, utils, watch
from kubernetes.client.rest import ApiException
from kubernetes.leaderelection import leaderelection, electionconfig
from kubernetes.leaderelection.resourcelock.configmaplock import ConfigMapLock
from kubernetes.stream import portforward, stream

config.load_kube_config()
core = client.CoreV1Api()
apps = client.AppsV1Api()
namespace = 'python'


def create():
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=namespace)))
    made = core.create_namespaced_config_map(
        namespace,
        client.V1ConfigMap(metadata=client.V1ObjectMeta(name='a', labels={'n': '1'}), data={'k': 'v'}),
    )
    assert made.metadata.uid and made.data == {'k': 'v'}
    try:
        core.create_namespaced_config_map(namespace, client.V1ConfigMap(metadata=client.V1ObjectMeta(name='a')))
        raise AssertionError('made twice')
    except ApiException as error:
        assert error.status == 409, error


def create_from_yaml():
    text = {
        'apiVersion': 'apps/v1',
        'kind': 'Deployment',
        'metadata': {'name': 'web'},
        'spec': {
            'replicas': 2,
            'selector': {'matchLabels': {'app': 'web'}},
            'template': {
                'metadata': {'labels': {'app': 'web'}},
                'spec': {'containers': [{'name': 'web', 'image': 'serve_hostname'}]},
            },
        },
    }
    utils.create_from_dict(client.ApiClient(), text, namespace=namespace)
    for event in watch.Watch().stream(apps.list_namespaced_deployment, namespace, timeout_seconds=30):
        if event['object'].status.ready_replicas == 2:
            return
    raise AssertionError('never ready')


def list_pages():
    for n in range(7):
        core.create_namespaced_secret(namespace, client.V1Secret(metadata=client.V1ObjectMeta(name=f's{n}')))
    names, token = [], None
    while True:
        page = core.list_namespaced_secret(namespace, limit=3, _continue=token)
        names += [item.metadata.name for item in page.items]
        token = page.metadata._continue
        if not token:
            break
    assert names == [f's{n}' for n in range(7)], names
    assert [m.metadata.name for m in core.list_namespaced_config_map(namespace, label_selector='n=1').items] == ['a']
    assert core.list_namespaced_config_map(namespace, field_selector='metadata.name=nope').items == []


def watch_events():
    version = core.list_namespaced_config_map(namespace).metadata.resource_version
    seen = []

    def change():
        core.create_namespaced_config_map(namespace, client.V1ConfigMap(metadata=client.V1ObjectMeta(name='w')))
        core.patch_namespaced_config_map('w', namespace, {'data': {'x': 'y'}})
        core.delete_namespaced_config_map('w', namespace)

    threading.Timer(0.2, change).start()
    watching = watch.Watch()
    for event in watching.stream(
        core.list_namespaced_config_map, namespace, resource_version=version, timeout_seconds=20
    ):
        seen.append((event['type'], event['object'].metadata.name))
        if len(seen) == 3:
            watching.stop()
    assert seen == [('ADDED', 'w'), ('MODIFIED', 'w'), ('DELETED', 'w')], seen


def watch_too_old():
    try:
        for _ in watch.Watch().stream(
            core.list_namespaced_config_map, namespace, resource_version='999999999', timeout_seconds=5
        ):
            raise AssertionError('an event of the future')
    except ApiException as error:
        assert error.status in (410, 504), error


def patch():
    patched = core.patch_namespaced_config_map('a', namespace, {'data': {'p': 'q'}})
    assert patched.data == {'k': 'v', 'p': 'q'}
    patched = core.patch_namespaced_config_map('a', namespace, [{'op': 'remove', 'path': '/data/p'}])
    assert patched.data == {'k': 'v'}
    scaled = apps.patch_namespaced_deployment_scale('web', namespace, {'spec': {'replicas': 1}})
    assert scaled.spec.replicas == 1


def replace():
    found = core.read_namespaced_config_map('a', namespace)
    found.data['r'] = 's'
    replaced = core.replace_namespaced_config_map('a', namespace, found)
    assert replaced.data == {'k': 'v', 'r': 's'}
    try:
        core.replace_namespaced_config_map('a', namespace, found)
        raise AssertionError('an old version was taken')
    except ApiException as error:
        assert error.status == 409, error


def logs():
    text = core.read_namespaced_pod_log('server', 'default', tail_lines=9)
    assert text.startswith('ready\n'), text


def execute():
    said = stream(
        core.connect_get_namespaced_pod_exec,
        'server',
        'default',
        command=['sh', '-c', 'echo out; echo err >&2; exit 3'],
        stderr=True,
        stdout=True,
        _preload_content=False,
    )
    said.run_forever(timeout=20)
    assert (said.read_stdout(), said.read_stderr()) == ('out\n', 'err\n')
    assert said.returncode == 3, said.returncode


def execute_with_input():
    session = stream(
        core.connect_get_namespaced_pod_exec,
        'server',
        'default',
        command=['sh'],
        stdin=True,
        stderr=True,
        stdout=True,
        tty=False,
        _preload_content=False,
    )
    session.write_stdin('echo $((6 * 7))\n')
    assert session.readline_stdout(timeout=20) == '42'
    session.write_stdin('exit\n')
    session.run_forever(timeout=20)
    assert session.returncode == 0


def forward_ports():
    forward = portforward(core.connect_get_namespaced_pod_portforward, 'server', 'default', ports='8080,81')
    socket = forward.socket(8080)
    socket.sendall(b'GET / HTTP/1.0\r\n\r\n')
    text = b''
    while True:
        piece = socket.recv(4096)
        if not piece:
            break
        text += piece
    assert text.endswith(b'welcome\n'), text
    assert forward.error(8080) is None
    assert 'cannot connect to port 81' in forward.error(81), forward.error(81)


def proxy():
    answer = core.connect_get_namespaced_pod_proxy_with_path('server:8080', 'default', 'index.html')
    assert answer == 'welcome\n', answer
    nodes = core.list_node().items
    assert core.connect_get_node_proxy_with_path(nodes[0].metadata.name, 'healthz') == 'ok'


def dynamic_client():
    api = dynamic.DynamicClient(client.ApiClient()).resources.get(api_version='v1', kind='Service')
    made = api.create(body={'metadata': {'name': 'd'}, 'spec': {'ports': [{'port': 80}]}}, namespace=namespace)
    assert made.spec.clusterIP.startswith('10.'), made
    # Its server_side_apply fails before anything is sent: its REST layer knows no such content type.
    api.patch(body={'metadata': {'name': 'd', 'labels': {'by': 'patch'}}}, namespace=namespace)
    assert api.get(name='d', namespace=namespace).metadata.labels.by == 'patch'
    assert [item.metadata.name for item in api.get(namespace=namespace).items] == ['d']
    api.delete(name='d', namespace=namespace)


def elect():
    done = threading.Event()

    def lead():
        done.set()
        raise SystemExit

    lock = ConfigMapLock('leader', namespace, 'me')
    settings = electionconfig.Config(lock, lease_duration=4, renew_deadline=3, retry_period=1, onstarted_leading=lead, onstopped_leading=lambda: None)
    threading.Thread(target=leaderelection.LeaderElection(settings).run, daemon=True).start()
    assert done.wait(20)


def review():
    spec = client.V1SelfSubjectAccessReviewSpec(
        resource_attributes=client.V1ResourceAttributes(verb='create', resource='pods', namespace=namespace)
    )
    answer = client.AuthorizationV1Api().create_self_subject_access_review(client.V1SelfSubjectAccessReview(spec=spec))
    assert answer.status.allowed is True


def discover():
    assert 'v1' in client.CoreApi().get_api_versions().versions
    assert any(group.name == 'apps' for group in client.ApisApi().get_api_versions().groups)
    assert int(client.VersionApi().get_code().minor) >= 36


def delete():
    core.delete_namespaced_config_map('a', namespace)
    apps.delete_namespaced_deployment('web', namespace, propagation_policy='Foreground')
    core.delete_collection_namespaced_secret(namespace)
    core.delete_namespace(namespace)
    for event in watch.Watch().stream(core.list_namespace, timeout_seconds=30):
        if event['type'] == 'DELETED' and event['object'].metadata.name == namespace:
            return
    raise AssertionError('the namespace stays')


for act in [
    create, create_from_yaml, list_pages, watch_events, watch_too_old, patch, replace, logs, execute,
    execute_with_input, forward_ports, proxy, dynamic_client, elect, review, discover, delete,
]:
    try:
        act()
        print('ok', act.__name__, flush=True)
    except BaseException as error:
        why = [getattr(error, name, '') for name in ('status', 'reason', 'body')]
        print(f'failed {act.__name__}: {type(error).__name__}', why, str(error.args)[-200:], flush=True)
