// Kubernetes' own questions to a Service proxy, in the default mode. acceptance.modes.test.ts asks the others.
import { acceptance } from '#test/proxy-acceptance-run.ts'

acceptance(['nftables'])
