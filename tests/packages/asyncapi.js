// client: @asyncapi/parser
import { Parser } from "@asyncapi/parser";
console.log(Parser);
