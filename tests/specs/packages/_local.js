export default "local";
