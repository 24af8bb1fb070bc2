// The cluster's names from pods: in iptables mode, and by the server of each node.
import { testNames } from '#test/cluster/dns-cases.ts'

testNames('dns-iptables', ['--proxy-mode', 'iptables'])
testNames('dns-node-local', ['--node-local-dns'])
