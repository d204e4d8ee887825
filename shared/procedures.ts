/**
 * Lives here: what can be said of a procedure from the contract alone. Does
 * not know: how it is carried out.
 */

/** A method of a generated service definition, as far as we look at it. */
export interface Procedure {
  readonly name: string;
  readonly options: { readonly idempotencyLevel?: string };
}

/**
 * Whether a procedure changes anything: everything that the contract does not
 * mark NO_SIDE_EFFECTS. A new procedure that says nothing counts as changing.
 */
export function changes(procedure: Procedure): boolean {
  return procedure.options.idempotencyLevel !== 'NO_SIDE_EFFECTS';
}
