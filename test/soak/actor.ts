/**
 * Lives here: one who makes calls on networks of its own and compares each
 * answer with the model's, and now and then uses networks that others use too.
 * Does not know: how a client makes calls, which faults there are.
 */
import { describeOperation } from './operations.js';
import type { Answer, Client } from './clients.js';
import { explained, isLost } from './faults.js';
import { Model, type Operation } from './model.js';
import type { Report } from './report.js';
import type { Weather } from './weather.js';

/** What calls on a network that others use too may be answered with. */
const sharedAnswers = /^(ok|NO_NETWORK$|OPERATION_INVALID$|NO_NETWORK_PORT$|NETWORK_PORT_EXIST$)/;

/** One who makes calls. */
export class Actor {
  /** What it knows of its networks. */
  readonly model = new Model();

  constructor(readonly name: string, private readonly client: Client, private readonly weather: Weather, private readonly report: Report) {}

  /** Makes a call on one of its own networks. An answer that neither the rules nor a fault explains is reported. */
  async act(operation: Operation): Promise<Answer> {
    const { answer, kinds } = await this.ask(operation);
    if (isLost(answer) && explained(answer, kinds)) {
      this.model.lost(operation);
      return answer;
    }
    const expected = this.model.answered(operation, answer.answer);
    if (expected === undefined) return answer;
    // A fault that is told of has changed nothing.
    if (explained(answer, kinds)) return answer;
    this.complain(operation, answer, expected);
    this.model.lost(operation);
    return answer;
  }

  /** Makes a call on a network that others use too. */
  async share(operation: Operation): Promise<void> {
    const { answer, kinds } = await this.ask(operation);
    if (!sharedAnswers.test(answer.answer) && !explained(answer, kinds)) this.complain(operation, answer, String(sharedAnswers));
  }

  close(): Promise<void> {
    return this.client.close();
  }

  private async ask(operation: Operation): Promise<{ answer: Answer; kinds: string[] }> {
    const beganMs = performance.now();
    const answer = await this.client.call(operation);
    this.report.called(this.client.kind, operation.kind, answer.answer);
    return { answer, kinds: this.weather.since(beganMs) };
  }

  private complain(operation: Operation, { answer, words }: Answer, expected: string): void {
    this.report.problem(`${this.name}: ${describeOperation(operation)} was answered '${answer}'${words === '' ? '' : ` (${words})`}, where the rules say '${expected}'`);
  }
}
