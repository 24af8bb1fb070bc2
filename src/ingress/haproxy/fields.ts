/**
 * The places of what the map says of a route, from 1, as HAProxy's `field` counts; the last two only where there are any:
 * `BACKEND|INGRESS|RULE/SHARE/CANARY|PATH`.
 */
export const fields = { backend: 1, ingress: 2, share: 3, path: 4 } as const
