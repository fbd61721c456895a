export { agoText, longText, momentText } from '../observe/observe.ts';
