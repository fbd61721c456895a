import { VarveError } from '../errors.ts';

interface Question {
  readonly topic: string;
  readonly partition: number;
  readonly leaderId: number;
}

interface Reply {
  readonly topic: string;
  readonly partition: number;
}

/**
 * Asks each leader about its own partitions, one request per broker, all brokers at once, and gives one answer per
 * question in the questions' order. A broker that fails, or that answers less than it was asked, fails its own
 * questions alone. A broker takes a partition once per request: a second question about it goes in a second request.
 */
export async function askLeaders<Q extends Question, A extends Reply>(
  questions: readonly Q[],
  options: {
    ask: (leaderId: number, questions: readonly Q[]) => Promise<readonly A[]>;
    failed: (question: Q, failure: VarveError) => A;
  },
): Promise<A[]> {
  const answers = new Map<Q, A>();
  const byLeader = Map.groupBy(questions, (question) => question.leaderId);
  await Promise.all(
    [...byLeader].map(async ([leaderId, ofLeader]) => {
      for (const once of withoutRepeats(ofLeader)) {
        for (const [question, answer] of await askOne(leaderId, once, options)) answers.set(question, answer);
      }
    }),
  );
  return questions.map((question) => answers.get(question) ?? options.failed(question, unanswered(question)));
}

async function askOne<Q extends Question, A extends Reply>(
  leaderId: number,
  questions: readonly Q[],
  {
    ask,
    failed,
  }: { ask: (id: number, rows: readonly Q[]) => Promise<readonly A[]>; failed: (q: Q, e: VarveError) => A },
): Promise<[Q, A][]> {
  try {
    const replies = new Map((await ask(leaderId, questions)).map((reply) => [keyOf(reply), reply]));
    return questions.map((question) => [
      question,
      replies.get(keyOf(question)) ?? failed(question, unanswered(question)),
    ]);
  } catch (error) {
    if (!(error instanceof VarveError)) throw error;
    return questions.map((question) => [question, failed(question, error)]);
  }
}

function withoutRepeats<Q extends Question>(questions: readonly Q[]): Q[][] {
  const rounds: Map<string, Q>[] = [];
  for (const question of questions) {
    const key = keyOf(question);
    const round = rounds.find((candidate) => !candidate.has(key));
    if (round === undefined) rounds.push(new Map([[key, question]]));
    else round.set(key, question);
  }
  return rounds.map((round) => [...round.values()]);
}

function keyOf({ topic, partition }: Reply): string {
  return `${partition} ${topic}`;
}

function unanswered({ topic, partition, leaderId }: Question): VarveError {
  return new VarveError('kafka-unreachable', `broker ${leaderId} gave no answer for ${topic}-${partition}`, {
    retryable: true,
  });
}
