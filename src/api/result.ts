/** What a parser answers: the value, or one sentence that says what is wrong with the input. */
export type Result<T> =
  | { readonly kind: 'ok'; readonly value: T }
  | { readonly kind: 'error'; readonly message: string }

export const ok = <T>(value: T): Result<T> => ({ kind: 'ok', value })
export const wrong = (message: string): { readonly kind: 'error'; readonly message: string } => ({
  kind: 'error',
  message,
})
