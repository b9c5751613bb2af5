import { type ControlFrame, encodeControlFrame, FrameDecoder } from '../../../src/field/wire/frame.ts';

/** A frame as it comes out at the other end. */
export function recode(frame: ControlFrame): ControlFrame {
  let decoded = frame;
  const none = (): void => {};
  const sink = { dataStart: none, indexStart: none, body: none, bodyEnd: none };
  const decoder = new FrameDecoder({
    ...sink,
    control: (each) => {
      decoded = each;
    },
  });
  decoder.push(encodeControlFrame(frame));
  return decoded;
}
