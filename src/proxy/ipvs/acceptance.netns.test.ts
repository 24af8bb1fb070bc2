// Kubernetes' own questions to a Service proxy, in IPVS mode, for kernels that have it.
import { acceptance } from '#test/proxy-acceptance-run.ts'

acceptance(['ipvs'])
