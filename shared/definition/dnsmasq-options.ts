/**
 * Lives here: `<dnsmasq:options>`: lines of dnsmasq's configuration that the
 * format has no element for. Does not know: what they mean.
 */
import { ErrorCode } from '../errors.js';
import { attribute, child, childValues, mapped } from './codec/fields.js';
import { element, type Field } from './codec/element.js';
import { filledLine } from './codec/values.js';

const option = element<{ value: string }>('dnsmasq:option', {
  value: attribute('value', filledLine, { required: ErrorCode.INTERNAL_ERROR, invalid: ErrorCode.INTERNAL_ERROR }),
});

/** `<dnsmasq:options>`: always there, empty where the document has none. */
export const dnsmasqOptions: Field<string[]> = mapped(
  child(element<{ options: string[] }>('dnsmasq:options', { options: childValues(option) })),
  ({ options }) => options,
  (options) => (options.length === 0 ? undefined : { options }),
);
