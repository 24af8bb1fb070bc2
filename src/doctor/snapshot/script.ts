// A script that makes a snapshot where Fairway is not: plain POSIX sh, and the tools that a node has anyway. What is missing
// is passed over. Run it as root on each node; where kubectl works it takes the API's objects too.

const nodeCommands: readonly (readonly [file: string, command: string])[] = [
  ['iptables-save.txt', 'iptables-save -c'],
  ['ip6tables-save.txt', 'ip6tables-save -c'],
  ['iptables-legacy-save.txt', 'iptables-legacy-save -c'],
  ['ip6tables-legacy-save.txt', 'ip6tables-legacy-save -c'],
  ['nft.txt', 'nft list ruleset'],
  ['nft.json', 'nft -j list ruleset'],
  ['ipset.txt', 'ipset save'],
  ['conntrack.txt', 'conntrack -L -o extended'],
  ['conntrack-stats.txt', 'conntrack -S'],
  ['ip-addr.txt', 'ip -d addr'],
  ['ip-route.txt', 'ip route show table all'],
  ['ip-route6.txt', 'ip -6 route show table all'],
  ['ip-rule4.txt', 'ip rule'],
  ['ip-rule6.txt', 'ip -6 rule'],
  ['ip-neigh.txt', 'ip neigh'],
  ['bridge-fdb.txt', 'bridge fdb'],
  ['sysctl.txt', 'sysctl -a'],
  ['sockets.txt', 'ss -lntuH'],
  ['resolv.conf', 'cat /etc/resolv.conf'],
  ['proxy-healthz.txt', 'curl -si -m 2 http://127.0.0.1:10256/healthz'],
]

/** What is taken of each other network namespace: pods, whose names the objects tell. */
const podCommands: typeof nodeCommands = [
  ['ip-addr.txt', 'ip -d addr'],
  ['ip-route.txt', 'ip route show table all'],
  ['ip-route6.txt', 'ip -6 route show table all'],
  ['sockets.txt', 'ss -lntuH'],
  ['iptables-save.txt', 'iptables-save -c'],
  ['nft.txt', 'nft list ruleset'],
]

const resources =
  'nodes namespaces services endpoints endpointslices pods networkpolicies ingresses ingressclasses deployments statefulsets daemonsets'

export const snapshotScript = (version: string): string => `#!/bin/sh
# Collects what the kernel of this node does with packets, and what the API says of Services, into one file for
# "fairway trace --snapshot" and "fairway doctor". Reads only. Secrets, values of environment variables and the annotation
# last-applied-configuration are left out. Usage: sh snapshot.sh [FILE]
set -u
node=\${NODE_NAME:-$(hostname)}
out=\${1:-fairway-snapshot-$node.tgz}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT INT TERM
mkdir -p "$dir/nodes/$node" "$dir/objects"
PATH=$PATH:/usr/sbin:/sbin

into=$dir/nodes/$node
enter=
take() {
  file=$into/$1
  shift
  command -v "$1" >/dev/null 2>&1 || return 0
  $enter "$@" >"$file" 2>/dev/null || rm -f "$file"
}

${nodeCommands.map(([file, command]) => `take ${file} ${command}`).join('\n')}
# ipvsadm would load the module
test -e /proc/net/ip_vs && take ipvsadm.txt ipvsadm -Sn
for link in $(ip -o link show type vxlan 2>/dev/null | sed 's/^[0-9]*: \\([^:@]*\\).*/\\1/'); do
  take "ethtool-$link.txt" ethtool -k "$link"
done

# The namespaces of pods, by a process in each; those that links of this node lead into have a number here.
numbers=$(lsns -t net -n -r -o NS,NETNSID 2>/dev/null)
pids=$(lsns -t net -n -r -o PID 2>/dev/null) || pids=$(cd /proc && echo [0-9]*)
seen=" $(readlink /proc/self/ns/net) "
enter='nsenter --net=/proc/self/fd/9'
pod() {
  id=$(readlink /proc/self/fd/9)
  case $seen in *" $id "*) return ;; esac
  seen="$seen$id "
  into=$dir/nodes/$node/namespaces/\${id#net:}
  mkdir -p "$into"
  inode=\${id#*[}
  printf '%s\\n' "$numbers" | sed -n "s/^\${inode%]} //p" >"$into/netnsid.txt"
  ${podCommands.map(([file, command]) => `take ${file} ${command}`).join('\n  ')}
}
for pid in $pids; do
  command -v nsenter >/dev/null 2>&1 || break
  { pod; } 9<"/proc/$pid/ns/net"
done 2>/dev/null

if command -v kubectl >/dev/null 2>&1; then
  for resource in ${resources}; do
    kubectl get "$resource" -A -o json 2>/dev/null |
      sed -e 's/^\\( *"value": \\)".*"\\(,\\{0,1\\}\\)$/\\1"(left out)"\\2/' \\
        -e 's/^\\( *"kubectl.kubernetes.io\\/last-applied-configuration": \\)".*"\\(,\\{0,1\\}\\)$/\\1"(left out)"\\2/' \\
        >"$dir/objects/$resource.json"
    test -s "$dir/objects/$resource.json" || rm -f "$dir/objects/$resource.json"
  done
  kubectl -n kube-system get configmap coredns kube-dns kube-proxy --ignore-not-found -o json \\
    >"$dir/objects/configmaps.json" 2>/dev/null
fi

printf '{"fairwaySnapshot": 1, "made": "%s", "by": "script of fairway ${version}", "nodes": ["%s"], "gaps": []}\\n' \\
  "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$node" >"$dir/fairway-snapshot.json"
tar -C "$dir" -czf "$out" . && echo "$out"
`
