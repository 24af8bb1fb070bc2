// Kubernetes' own questions to a Service proxy, in iptables mode by both back ends.
import { acceptance } from '#test/proxy-acceptance-run.ts'

acceptance(['iptables (nft)', 'iptables (legacy)'])
